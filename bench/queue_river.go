package main

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverQueue is River on pgx.
type riverQueue struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

// openRiver completes a message in the transaction that handles it, so that its effects happen once.
func openRiver(ctx context.Context, url string, d *desk) (queue, error) {
	return openRiverWith(ctx, url, func(pool *pgxpool.Pool) river.Worker[welcome] { return &riverWorker{pool: pool, desk: d} })
}

// openRiverLater leaves the completion to River, which does it later, for many messages at once: what was handled before
// a crash and not completed is handled again.
func openRiverLater(ctx context.Context, url string, d *desk) (queue, error) {
	return openRiverWith(ctx, url, func(pool *pgxpool.Pool) river.Worker[welcome] { return &riverLater{pool: pool, desk: d} })
}

func openRiverWith(ctx context.Context, url string, worker func(*pgxpool.Pool) river.Worker[welcome]) (_ queue, err error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = queuePool
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	q := &riverQueue{pool: pool}
	if err := q.start(ctx, worker(pool)); err != nil {
		pool.Close()
		return nil, err
	}
	return q, nil
}

func (q *riverQueue) start(ctx context.Context, worker river.Worker[welcome]) error {
	driver := riverpgxv5.New(q.pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: silent()})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	q.client, err = river.NewClient(driver, &river.Config{
		Logger: silent(), Workers: workers,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: handlers}},
		// The least that it allows: with its default of 100 ms eight handlers get eight messages each 100 ms.
		FetchCooldown: time.Millisecond,
	})
	if err != nil {
		return err
	}
	return q.client.Start(context.WithoutCancel(ctx))
}

func (q *riverQueue) Place(ctx context.Context, m welcome, committed func()) error {
	err := pgx.BeginFunc(ctx, q.pool, func(tx pgx.Tx) error {
		c := newCustomer()
		m.Customer = c.ID
		if _, err := tx.Exec(ctx, insertCustomer, c.args()...); err != nil {
			return err
		}
		_, err := q.client.InsertTx(ctx, tx, m, nil)
		return err
	})
	if err == nil {
		committed()
	}
	return err
}

func (q *riverQueue) Fill(ctx context.Context, list []welcome) error {
	for part := range slices.Chunk(list, 1000) {
		params := make([]river.InsertManyParams, len(part))
		for i, m := range part {
			params[i].Args = m
		}
		if _, err := q.client.InsertManyFast(ctx, params); err != nil {
			return err
		}
	}
	return nil
}

func (q *riverQueue) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := q.client.Stop(ctx)
	q.pool.Close()
	return err
}

// riverWorker completes what it handles itself.
type riverWorker struct {
	river.WorkerDefaults[welcome]
	pool *pgxpool.Pool
	desk *desk
}

func (w *riverWorker) Work(ctx context.Context, job *river.Job[welcome]) error {
	t := w.desk.enter(job.Args.Number)
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if !t.idle {
			o := job.Args.present()
			if _, err := tx.Exec(ctx, insertOrder, o.args()...); err != nil {
				return err
			}
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if err == nil {
		t.leave()
	}
	return err
}

// riverLater leaves that to River.
type riverLater struct {
	river.WorkerDefaults[welcome]
	pool *pgxpool.Pool
	desk *desk
}

func (w *riverLater) Work(ctx context.Context, job *river.Job[welcome]) error {
	t := w.desk.enter(job.Args.Number)
	if !t.idle {
		o := job.Args.present()
		if _, err := w.pool.Exec(ctx, insertOrder, o.args()...); err != nil {
			return err
		}
	}
	t.leave()
	return nil
}
