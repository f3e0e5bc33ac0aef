// Package desk is what the terminal shows of a policy that is being written.
//
// It knows which tool answers which question and how the answer is printed, and
// leaves files, flags and the server to cli, what is found to lint and what is
// said to prose. Invariant: it decides nothing and reads nothing but what it is given.
package desk
