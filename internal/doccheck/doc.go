// Package doccheck compiles every Go snippet of README.md and docs/*.md, and runs those that say so. It has nothing but
// tests.
//
// # Overview
//
// What a fence says after the three backticks decides:
//
//   - "go" is a complete file. It is compiled.
//   - "go run" is a complete program. It is compiled and run, must exit with 0 within a minute, and must print what the
//     next fence holds if that one is marked "output".
//   - "go serve" is a complete program that serves on 127.0.0.1:8080 until it is told to stop. It is compiled and run, on
//     another port, and must exit with 0 when it is interrupted after it has said that it started.
//   - "go fragment" is a piece of a file. The fragments of one page make up one package, in their order, so that a type
//     is declared once and used by all that follow. A fragment of declarations stands as it is; one of statements is
//     the body of a func(ctx context.Context) error of its own and need not return. The imports of the packages in
//     imports_test.go are added where a fragment uses them.
//
// Nothing is written into the repository: the compiler is given the files as an overlay.
package doccheck
