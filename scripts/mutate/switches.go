package main

// switches is the file that a mutated package gets: a mutant is awake where the
// environment has its number. What the tests get to is logged where a file is named.
const switches = `package PACKAGE

import (
	"cmp"
	"os"
	"strconv"
	"sync/atomic"
)

var (
	mutantLive, _ = strconv.Atoi(os.Getenv("MUTATE_AWAKE"))
	mutantLog     = os.Getenv("MUTATE_REACHED")
	mutantSeen    [COUNT]atomic.Bool
)

func mutantAwake(id int) bool {
	if mutantLog != "" {
		mutantReached(id)
	}
	return id == mutantLive
}

func mutantReached(id int) {
	if mutantSeen[id].Load() || mutantSeen[id].Swap(true) {
		return
	}
	f, err := os.OpenFile(mutantLog, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strconv.Itoa(id) + "\n"); err != nil {
		panic(err)
	}
}

func mutantOne(id int) int {
	if mutantAwake(id) {
		return 1
	}
	return 0
}

func mutantLess[T cmp.Ordered](id int, a, b T) bool { return a < b || mutantAwake(id) && a == b }

func mutantAtMost[T cmp.Ordered](id int, a, b T) bool { return a <= b && !(mutantAwake(id) && a == b) }

func mutantMore[T cmp.Ordered](id int, a, b T) bool { return a > b || mutantAwake(id) && a == b }

func mutantAtLeast[T cmp.Ordered](id int, a, b T) bool { return a >= b && !(mutantAwake(id) && a == b) }

func mutantNil(id int, err error) error {
	if mutantAwake(id) {
		return nil
	}
	return err
}

func mutantZero[T any](id int, v T) T {
	if mutantAwake(id) {
		var zero T
		return zero
	}
	return v
}

func mutantGo[T ~string](id int, v T) T {
	if mutantAwake(id) {
		return "go"
	}
	return v
}
`
