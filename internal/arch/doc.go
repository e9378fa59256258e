// Package arch holds the repository to docs/architecture.md: which package may import which, and which library. It has
// nothing but tests. What is derived from that page, the linter's import rules and the list of linked dependencies, is
// rewritten by
//
//	go test ./internal/arch -update
package arch
