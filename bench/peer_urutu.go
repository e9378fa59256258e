package main

import (
	"context"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/value"
)

// urutuPeer is a session, on either database.
type urutuPeer struct{ db *session.DB }

func openUrutu(ctx context.Context, url string) (peer, error) {
	db, err := session.Open(ctx, session.Config{
		URL: url, Drivers: []driver.Driver{pgxdriver.New(), sqlitedriver.New()}, PoolSize: poolSize, MaxOverflow: -1,
	})
	if err != nil {
		return nil, err
	}
	return &urutuPeer{db}, nil
}

func (p *urutuPeer) Close() error { return p.db.Close() }

// stage adds a message, as a package that sends them does.
func stage(ctx context.Context, topic string, about uuid.UUID) error {
	m := newMessage(topic, about)
	return session.Stage(ctx, session.Rows{
		Table: "messages",
		Columns: []dialect.Column{
			{Name: "id", Type: value.TypeUUID}, {Name: "created_at", Type: value.TypeTime},
			{Name: "topic", Type: value.TypeText}, {Name: "payload", Type: value.TypeJSON},
		},
		Values: []value.Value{
			value.OfUUID(m.ID), value.OfTime(m.CreatedAt), value.OfText(m.Topic), value.OfJSON(string(m.Payload)),
		},
	})
}

func (p *urutuPeer) Insert(ctx context.Context) error {
	return p.db.Do(ctx, func(ctx context.Context) error {
		c := &Customer{Name: "Ann", Email: address()}
		if err := session.Add(ctx, c); err != nil {
			return err
		}
		return stage(ctx, "customers", c.ID)
	})
}

func (p *urutuPeer) Get(ctx context.Context, id uuid.UUID) error {
	return p.db.Do(ctx, func(ctx context.Context) error {
		_, err := session.Get[Product](ctx, id)
		return err
	})
}

func (p *urutuPeer) GetUntracked(ctx context.Context, id uuid.UUID) error {
	return p.db.Do(ctx, func(ctx context.Context) error {
		_, err := session.Get[Product](ctx, id, query.NoTracking)
		return err
	})
}

func (p *urutuPeer) Modify(ctx context.Context, id uuid.UUID) error {
	return p.db.Do(ctx, func(ctx context.Context) error {
		product, err := session.Get[Product](ctx, id)
		if err != nil {
			return err
		}
		product.Stock--
		return stage(ctx, "products", product.ID)
	})
}

func (p *urutuPeer) Order(ctx context.Context, customer uuid.UUID, ids []uuid.UUID) error {
	return p.db.Do(ctx, func(ctx context.Context) error { return placeOrder(ctx, customer, ids) })
}

// placeOrder is what a unit does that places an order.
func placeOrder(ctx context.Context, customer uuid.UUID, ids []uuid.UUID) error {
	keys := make([]any, len(ids))
	for i, id := range ids {
		keys[i] = id
	}
	list, _, err := session.GetMany[Product](ctx, keys...)
	if err != nil {
		return err
	}
	order := &Order{CustomerID: customer}
	order.ID = newID()
	lines := make([]*OrderLine, len(list))
	for i, product := range list {
		product.Stock--
		order.Total += product.Price
		lines[i] = &OrderLine{OrderID: order.ID, ProductID: product.ID, Quantity: 1, Price: product.Price}
	}
	if err := session.Add(ctx, order); err != nil {
		return err
	}
	return session.Add(ctx, lines...)
}

func (p *urutuPeer) InsertMany(ctx context.Context, n int) error {
	return p.db.Do(ctx, func(ctx context.Context) error {
		list := make([]*Customer, n)
		for i := range list {
			list[i] = &Customer{Name: "Ann", Email: address()}
		}
		return session.Add(ctx, list...)
	})
}

func (p *urutuPeer) UpdateMany(ctx context.Context) error {
	return p.db.Do(ctx, func(ctx context.Context) error {
		list, err := session.Find[Product](ctx)
		for i, product := range list {
			product.Stock += amount(i)
		}
		return err
	})
}

func (p *urutuPeer) Read(ctx context.Context) error { return p.read(ctx) }

func (p *urutuPeer) ReadUntracked(ctx context.Context) error { return p.read(ctx, query.NoTracking) }

func (p *urutuPeer) read(ctx context.Context, clauses ...query.Clause) error {
	return p.db.Do(ctx, func(ctx context.Context) error {
		list, err := session.Find[Product](ctx, clauses...)
		if err == nil && len(list) != products {
			err = errCount
		}
		return err
	})
}
