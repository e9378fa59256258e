// Package bench measures urutu, and beside it the same work written by hand. It is a module of its own, so that what it
// compares with never reaches a user. `make bench` runs everything; figures mean something only beside each other, on one
// machine.
package bench
