package policy

import "signalbox.dev/signalbox/internal/bundle"

// What Compile takes and gives, in bundle's words.
type (
	// File is one YAML file of a bundle.
	File = bundle.File
	// Problem is something wrong in a bundle: where, what, why and how to fix it.
	Problem = bundle.Problem
)

// Limits of a bundle and weights of a problem, for those who compile one.
const (
	MaxFile      = bundle.MaxFile
	MaxFiles     = bundle.MaxFiles
	LevelError   = bundle.LevelError
	LevelWarning = bundle.LevelWarning
)

// Digest identifies a bundle by its files.
func Digest(files []File) string { return bundle.Digest(files) }

// Failed reports whether one of the problems is an error.
func Failed(problems []Problem) bool { return bundle.Failed(problems) }
