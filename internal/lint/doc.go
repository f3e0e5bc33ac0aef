// Package lint is what is wrong with a bundle that compiles.
//
// It knows how conditions behave over the values that their inputs can have,
// whom a chain can find, what nothing uses, and what the bundle's own tests
// exercise. It leaves to policy what makes a bundle invalid, and to prose what
// a bundle says.
//
// Invariant: it never guesses. What logic does not decide of a condition, nothing
// is said of.
package lint
