// Package verdict decides what figures say of a release in its bake: good, bad
// or not enough to tell. It owns the rules, the tests behind them, and the
// sentences that explain a finding; README.md shows how often it is wrong.
//
// It is pure: no clock, no file, no goroutine. Of the switcher it knows the words
// of a verdict. It must not know where figures come from, nor what follows from a
// verdict.
package verdict
