// Package ent is Ent's generated code for the benchmark's tables.
package ent

//go:generate go run -mod=mod entgo.io/ent/cmd/ent generate --feature sql/upsert ./schema
//go:generate rm -r enttest hook
