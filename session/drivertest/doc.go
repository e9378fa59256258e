// Package drivertest is the conformance suite that every driver of a database runs, and a driver that can do less.
//
// # Overview
//
// [Run] checks a pool against the contract in the comments of package session/driver. It skips nothing silently: what
// the dialect's features exclude is not part of the contract for that database. A driver's test is one call:
//
//	func TestConformance(t *testing.T) {
//		drivertest.Run(t, func(t *testing.T) driver.Pool { return openPool(t) })
//	}
//
// [Plain] wraps a driver of SQLite into one that knows no RETURNING and takes one statement at a time. It keeps the
// seam, and whatever is built on it, honest about databases that have no more than that.
//
// # Lifecycle
//
// The suite makes tables with random names, drops them, and closes the pools that it is given.
//
// # Errors
//
// A breach of the contract fails the sub-test that is named after it.
//
// # Concurrency
//
// The sub-tests run in parallel, each with a pool of its own, on one database or several.
package drivertest
