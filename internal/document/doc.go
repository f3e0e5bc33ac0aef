// Package document is what a policy's documents say.
//
// It knows the kinds of documents, how each is read strictly from a bundle's
// files, which bundles a bundle includes, and how an overlay tightens a document.
// It leaves to policy what conditions compute, how an answer comes about, and the
// test cases, whose inputs are policy's.
//
// Invariant: what is included has the digest that was stated, and an overlay only
// tightens.
package document
