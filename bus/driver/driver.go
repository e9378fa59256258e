// Package driver is the seam between urutu and a broker that carries messages between services.
//
// # Overview
//
// A broker's adapter receives and sends. What it receives is put into the database's queue before it is acknowledged, so
// that order, retries and parking are the same whatever a message came by; what it sends was committed before. An adapter
// knows neither handlers nor units of work.
//
// # Concurrency
//
// An adapter says for itself how its methods may be called; urutu calls each from one goroutine at a time.
package driver

import (
	"context"

	"github.com/urutu-go/urutu/outbox"
)

// Receiver brings messages in.
type Receiver interface {
	// Receive calls store with each batch that comes, until ctx ends, and then returns ctx's error or nil. Where store
	// returns nil the batch is safe and is acknowledged. Where it returns an error the batch is brought again, after a
	// pause. A message that store calls fault.Invalid will never be stored: the adapter puts it where its broker keeps
	// such messages. Receive returns an error where it cannot go on. Whenever it has returned before ctx ends it is called
	// again, after a pause, which gets longer while it brings nothing new.
	Receive(ctx context.Context, store func(ctx context.Context, batch []outbox.Incoming) error) error
}
