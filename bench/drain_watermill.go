package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/components/forwarder"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
)

// watermillOutbox is Watermill's forwarder, which reads an SQL topic and publishes to a broker.
type watermillOutbox struct {
	pool *pgxpool.Pool
	to   message.Publisher
}

func openWatermill(ctx context.Context, url string) (outward, error) {
	pool, err := openPool(ctx, url)
	if err != nil {
		return nil, err
	}
	inner, err := sql.NewPublisher(sql.BeginnerFromPgx(pool), sql.PublisherConfig{
		SchemaAdapter: sql.DefaultPostgreSQLSchema{}, AutoInitializeSchema: true,
	}, watermill.NopLogger{})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &watermillOutbox{pool, forwarder.NewPublisher(inner, forwarder.PublisherConfig{})}, nil
}

func (o *watermillOutbox) Fill(_ context.Context, n, _ int) error {
	for done := 0; done < n; {
		var list []*message.Message
		for range min(1000, n-done) {
			list = append(list, message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, `{"Number": %d}`, done)))
			done++
		}
		if err := o.to.Publish("news", list...); err != nil {
			return err
		}
	}
	return nil
}

// counting is a broker that takes everything. Its clock runs from the first message to the last.
type counting struct {
	n     int64
	sent  atomic.Int64
	begin sync.Once
	since time.Time
	took  time.Duration // once all is closed
	all   chan struct{}
}

func (c *counting) Publish(_ string, list ...*message.Message) error {
	c.begin.Do(func() { c.since = time.Now() })
	if c.sent.Add(int64(len(list))) == c.n {
		c.took = time.Since(c.since)
		close(c.all)
	}
	return nil
}

func (c *counting) Close() error { return nil }

func (o *watermillOutbox) Drain(ctx context.Context, n int) (time.Duration, error) {
	from, err := sql.NewSubscriber(sql.BeginnerFromPgx(o.pool), sql.SubscriberConfig{
		SchemaAdapter: sql.DefaultPostgreSQLSchema{}, OffsetsAdapter: sql.DefaultPostgreSQLOffsetsAdapter{},
		InitializeSchema: true, PollInterval: 10 * time.Millisecond,
	}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	to := &counting{n: int64(n), all: make(chan struct{})}
	f, err := forwarder.NewForwarder(from, to, watermill.NopLogger{}, forwarder.Config{})
	if err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	select {
	case <-to.all:
	case <-ctx.Done():
		return 0, errors.Join(f.Close(), <-done, ctx.Err())
	}
	return to.took, errors.Join(f.Close(), <-done)
}

func (o *watermillOutbox) Close() error {
	err := o.to.Close()
	o.pool.Close()
	return err
}
