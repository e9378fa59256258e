//go:build unix

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/urutu-go/urutu/outbox"
)

// brokerGroup is the destination whose messages go to a broker.
const brokerGroup = "broker"

// startRelay starts what hands events to the broker: a file that all processes share, in which each message is a line.
func (w *worker) startRelay(ctx context.Context) error {
	file, err := os.OpenFile(w.broker, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	w.relay = outbox.NewEngine(w.db, outbox.Config{}, outbox.Consumer{
		Destination: brokerGroup, Topics: []string{Event{}.MessageType().Topic}, Retry: func(string) outbox.Retry { return retry },
		Send: func(_ context.Context, batch []*outbox.Delivery) []error { return w.send(file, batch) },
	})
	return w.relay.Start(ctx)
}

var errRefused = errors.New("the broker refuses it")

// send writes a batch, and refuses a message now and then, with those of its key that come after it.
func (w *worker) send(file *os.File, batch []*outbox.Delivery) []error {
	w.arrow("send")
	results, refused := make([]error, len(batch)), map[string]bool{}
	for i, d := range batch {
		if chance(0.01) || d.Key != "" && refused[d.Key] {
			results[i], refused[d.Key] = errRefused, true
			continue
		}
		var line []byte
		var m Event
		err := json.Unmarshal(d.Payload, &m)
		if err == nil {
			line, err = json.Marshal(m)
		}
		if err == nil {
			_, err = file.Write(append(line, '\n'))
		}
		results[i] = err
		w.arrow("sending")
	}
	w.arrow("sent")
	return results
}
