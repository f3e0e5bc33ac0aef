// Package bundle is the reading of a policy's files.
//
// It knows what a bundle of YAML files is, its digest and its limits, how a
// mapping is read strictly with the place of everything in it, and how a problem
// is told. It leaves to policy what the documents mean.
//
// Invariant: a file reads as it runs. Whatever lets YAML mean something that its
// reader does not see (anchors, tags, merge keys, duplicate keys, characters
// that hide or reorder text) is a problem, and a field that nobody asked for too.
package bundle
