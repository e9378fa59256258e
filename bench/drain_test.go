package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// TestBrokersClock: what comes before the first message is not counted.
func TestBrokersClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counting{n: 3, all: make(chan struct{})}
		for _, after := range []time.Duration{time.Minute, time.Second, 2 * time.Second} {
			time.Sleep(after)
			if err := c.Publish("news", message.NewMessage("1", nil)); err != nil {
				t.Error(err)
			}
		}
		<-c.all
		if c.took != 3*time.Second {
			t.Errorf("it took %v", c.took)
		}
	})
}
