package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Consumer is what happens to the messages of one destination.
type Consumer struct {
	// Destination is its name: the group's. Required.
	Destination string
	// Topics are what it subscribes to.
	Topics []string
	// Concurrency is how many messages are in hand at once in this process. Defaults to 8.
	Concurrency int
	// Limits is how many messages of a topic are in hand at once, for topics that have a limit. Where there are several of
	// them, each has its own room in memory: what comes of one that has none left stays in the table, and the others go on.
	Limits map[string]int
	// Handle handles one message, in a unit of work that acknowledges it: see [Delivery.Acknowledge]. Where it returns an
	// error, nothing of it has happened. Required unless Send is set.
	Handle func(ctx context.Context, d *Delivery) error
	// Send hands messages to a broker and returns what became of each, or nil where all arrived. Those that did are
	// deleted afterwards, so that each arrives once or more. The messages of one key are in order.
	Send func(ctx context.Context, batch []*Delivery) []error
	// Retry says how failures are dealt with, by topic.
	Retry func(topic string) Retry
}

// Retry is how failures of one kind of messages are dealt with. The zero value is right for most.
type Retry struct {
	// Attempts is how often a message is handled before it is parked. Defaults to 12; a negative number means for ever.
	Attempts int
	// Pause is the longest pause after the first failure. It doubles with each one up to MaxPause; what is waited is drawn
	// at random below that. They default to 1 second and 1 hour.
	Pause, MaxPause time.Duration
	// Skip lets later messages of a key overtake one that has failed. Otherwise they wait for it, also while it is parked;
	// messages of other keys go on either way.
	Skip bool
}

func (r Retry) withDefaults() Retry {
	if r.Attempts == 0 {
		r.Attempts = 12
	}
	if r.Pause <= 0 {
		r.Pause = time.Second
	}
	if r.MaxPause <= 0 {
		r.MaxPause = time.Hour
	}
	r.Pause = min(r.Pause, r.MaxPause)
	return r
}

// pause draws the pause after so many failures.
func (r Retry) pause(failures int) time.Duration {
	limit := r.MaxPause
	if shift := failures - 1; shift < 40 && r.Pause<<shift>>shift == r.Pause {
		limit = min(limit, r.Pause<<shift)
	}
	return rand.N(limit) + 1
}

// Failure is why a message could not be handled.
type Failure struct {
	// Reason is what happened, as one word that operators can select by.
	Reason Reason
	// Park says that trying again is useless.
	Park bool
	// After, where it is not 0, is the pause before the next attempt.
	After time.Duration
	// Err is the cause.
	Err error
}

// Error prints the cause.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Reason is why a message failed.
type Reason string

// The reasons.
const (
	Failed      Reason = "error"         // its handler returned an error
	Panicked    Reason = "panic"         // its handler panicked
	TimedOut    Reason = "timeout"       // its handler took too long
	Permanent   Reason = "permanent"     // its handler said that trying again is useless
	Undecodable Reason = "undecodable"   // its payload or envelope is not what its type says
	Newer       Reason = "newer"         // it was published by a newer program
	Unknown     Reason = "unknown_topic" // nobody here handles its topic
	Refused     Reason = "refused"       // a broker does not take it
	Crashed     Reason = "crashed"       // its process died while it was in hand, again and again
)

// failureOf returns what an error says of the message.
func failureOf(err error) Failure {
	var f *Failure
	if errors.As(err, &f) {
		return *f
	}
	return Failure{Reason: Failed, Err: err}
}
