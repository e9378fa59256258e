package model

import (
	"sync"
	"unsafe"
)

// pending holds the structs whose server-generated fields are not known yet, by address. A session marks an object when
// it is added and clears it when it is flushed or let go, so nothing stays here after a unit of work.
var pending sync.Map // unsafe.Pointer -> struct{}

// MarkPending notes that the struct at p was added to a session and not flushed yet: its serial key, defaults and
// generated columns do not hold what the database will put there. It keeps the struct alive until [ClearPending].
func MarkPending(p unsafe.Pointer) { pending.Store(p, struct{}{}) }

// ClearPending takes back [MarkPending]. It does nothing for a struct that is not marked.
func ClearPending(p unsafe.Pointer) { pending.Delete(p) }

// IsPending reports whether the struct at p is marked.
func IsPending(p unsafe.Pointer) bool {
	_, ok := pending.Load(p)
	return ok
}
