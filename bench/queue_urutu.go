package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/uow"
)

// urutuQueue is package bus.
type urutuQueue struct {
	db      *session.DB // publishes
	handles *session.DB // and this one handles
	stop    func(context.Context) error
}

func openUrutuQueue(ctx context.Context, url string, d *desk) (queue, error) {
	db, err := openMessages(ctx, url, false)
	if err != nil {
		return nil, err
	}
	return startUrutu(ctx, db, db, d)
}

// openApart publishes from another process, for all that the worker knows.
func openApart(ctx context.Context, url string, d *desk) (queue, error) {
	return openTwo(ctx, url, d, false)
}

// openPolling has a worker that nobody can wake.
func openPolling(ctx context.Context, url string, d *desk) (queue, error) {
	return openTwo(ctx, url, d, true)
}

func openTwo(ctx context.Context, url string, d *desk, pooler bool) (queue, error) {
	db, err := openMessages(ctx, url, false)
	if err != nil {
		return nil, err
	}
	handles, err := openMessages(ctx, url, pooler)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return startUrutu(ctx, db, handles, d)
}

// openMessages opens a connection with the tables of messages.
func openMessages(ctx context.Context, url string, pooler bool) (*session.DB, error) {
	db, err := session.Open(ctx, session.Config{
		URL: url, Drivers: []driver.Driver{pgxdriver.New(), sqlitedriver.New()}, PoolSize: queuePool, MaxOverflow: -1,
		Pooler: pooler, Logger: silent(),
	})
	if err != nil {
		return nil, err
	}
	if err := db.Install(ctx, outbox.Component()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func startUrutu(ctx context.Context, db, handles *session.DB, d *desk) (queue, error) {
	b := bus.New(handles, bus.Config{Logger: silent()})
	bus.Handle(b, func(ctx context.Context, m welcome) error {
		t := d.enter(m.Number)
		err := uow.AfterCommit(ctx, func(context.Context) error {
			t.leave()
			return nil
		})
		if err != nil || t.idle {
			return err
		}
		o := m.present()
		return session.Add(ctx, &o)
	}, bus.Handler{Concurrency: handlers})
	worker := b.Worker()
	q := &urutuQueue{db: db, handles: handles, stop: worker.Stop}
	if err := worker.Start(ctx); err != nil {
		return nil, errors.Join(err, q.closeAll())
	}
	return q, nil
}

func (q *urutuQueue) Place(ctx context.Context, m welcome, committed func()) error {
	return q.db.Do(ctx, func(ctx context.Context) error {
		c := newCustomer()
		m.Customer = c.ID
		err := uow.AfterCommit(ctx, func(context.Context) error {
			committed()
			return nil
		})
		return errors.Join(err, session.Add(ctx, &c), bus.Publish(ctx, m))
	})
}

func (q *urutuQueue) Fill(ctx context.Context, list []welcome) error {
	for part := range slices.Chunk(list, 1000) {
		err := q.db.Do(ctx, func(ctx context.Context) error {
			for _, m := range part {
				if err := bus.Publish(ctx, m); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *urutuQueue) Close() error { return errors.Join(q.stop(context.Background()), q.closeAll()) }

func (q *urutuQueue) closeAll() error {
	if q.db == q.handles {
		return q.db.Close()
	}
	return errors.Join(q.db.Close(), q.handles.Close())
}
