// Package logic is what a condition can come out as, over every value that its
// inputs can have.
//
// It knows the declared domain of each input and decides, without trying values
// one by one, whether some claims about conditions can hold together: it follows
// every way in which they could, keeps what each way takes for granted about
// numbers, texts and lists, and drops a way that contradicts itself. It leaves to
// policy what a condition computes, and to lint what is worth saying.
//
// The way through: read.go turns a condition that CEL has checked into terms;
// claim.go is what may be asked; assume.go follows and, or, not and ?:; eval.go
// turns other terms into values; number.go, list.go and call.go know arithmetic,
// lists and functions; store.go holds what one way takes for granted, and
// linear.go and text.go see whether that can be; example.go writes inputs that go
// a way that stayed open, and CEL itself confirms them.
//
// Invariant: Never is said only of what no inputs within their domains bring
// about. Whatever is not understood may be anything, and failing to compute is
// a third outcome beside true and false.
package logic
