package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

type gormCustomer struct {
	ID                   uuid.UUID `gorm:"type:uuid"`
	CreatedAt, UpdatedAt time.Time
	Name, Email          string
}

func (gormCustomer) TableName() string { return "customers" }

type gormProduct struct {
	ID                   uuid.UUID `gorm:"type:uuid"`
	CreatedAt, UpdatedAt time.Time
	Version              int64
	Name                 string
	SKU                  string
	Price, Stock         int64
}

func (gormProduct) TableName() string { return "products" }

type gormOrder struct {
	ID                   uuid.UUID `gorm:"type:uuid"`
	CreatedAt, UpdatedAt time.Time
	CustomerID           uuid.UUID `gorm:"type:uuid"`
	Total                int64
}

func (gormOrder) TableName() string { return "orders" }

type gormLine struct {
	ID, OrderID, ProductID uuid.UUID `gorm:"type:uuid"`
	Quantity, Price        int64
}

func (gormLine) TableName() string { return "order_lines" }

type gormMessage struct {
	ID        uuid.UUID `gorm:"type:uuid"`
	CreatedAt time.Time
	Topic     string
	Payload   json.RawMessage `gorm:"type:jsonb"`
}

func (gormMessage) TableName() string { return "messages" }

// gormPeer is GORM over pgx, which prepares and keeps the statements, without a transaction around what needs none.
type gormPeer struct{ db *gorm.DB }

func openGorm(_ context.Context, url string) (peer, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	pool := openSQL(*cfg)
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{
		SkipDefaultTransaction: true, Logger: logger.Discard,
	})
	if err != nil {
		_ = pool.Close()
		return nil, err
	}
	return &gormPeer{db}, nil
}

func (p *gormPeer) Close() error {
	db, err := p.db.DB()
	if err != nil {
		return err
	}
	return db.Close()
}

func newGormCustomer() gormCustomer {
	c := newCustomer()
	return gormCustomer{ID: c.ID, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Name: c.Name, Email: c.Email}
}

func gormSend(tx *gorm.DB, topic string, about uuid.UUID) error {
	m := newMessage(topic, about)
	return tx.Create(&gormMessage{ID: m.ID, CreatedAt: m.CreatedAt, Topic: m.Topic, Payload: m.Payload}).Error
}

func (p *gormPeer) Insert(ctx context.Context) error {
	return p.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		c := newGormCustomer()
		if err := tx.Create(&c).Error; err != nil {
			return err
		}
		return gormSend(tx, "customers", c.ID)
	})
}

func (p *gormPeer) Get(ctx context.Context, id uuid.UUID) error {
	return p.db.WithContext(ctx).Take(&gormProduct{ID: id}).Error
}

func (p *gormPeer) Modify(ctx context.Context, id uuid.UUID) error {
	return p.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		product := gormProduct{ID: id}
		if err := tx.Take(&product).Error; err != nil {
			return err
		}
		done := tx.Model(&product).Where("version = ?", product.Version).Updates(map[string]any{
			"stock": product.Stock - 1, "updated_at": now(), "version": product.Version + 1,
		})
		if err := gormChanged(done, 1); err != nil {
			return err
		}
		return gormSend(tx, "products", id)
	})
}

func gormChanged(done *gorm.DB, n int64) error {
	if done.Error == nil && done.RowsAffected != n {
		return errStale
	}
	return done.Error
}

// gormStocks writes products, which were changed in memory, in one statement: GORM's many updates are an upsert.
func gormStocks(tx *gorm.DB, list []gormProduct) error {
	at := now()
	for i := range list {
		list[i].UpdatedAt = at
		list[i].Version++
	}
	return gormChanged(tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "id"}},
		DoUpdates: clause.AssignmentColumns([]string{"stock", "updated_at", "version"}),
		Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "products.version = excluded.version - 1"}}},
	}).Create(&list), int64(len(list)))
}

func (p *gormPeer) Order(ctx context.Context, customer uuid.UUID, ids []uuid.UUID) error {
	return p.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var list []gormProduct
		if err := tx.Find(&list, "id IN ?", ids).Error; err != nil {
			return err
		}
		o, lines := newOrder(customer, len(list), func(i int) (uuid.UUID, int64) { return list[i].ID, list[i].Price })
		err := tx.Create(&gormOrder{
			ID: o.ID, CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, CustomerID: o.CustomerID, Total: o.Total,
		}).Error
		if err != nil {
			return err
		}
		rows := make([]gormLine, len(lines))
		for i, l := range lines {
			rows[i] = gormLine{ID: l.ID, OrderID: l.OrderID, ProductID: l.ProductID, Quantity: l.Quantity, Price: l.Price}
			list[i].Stock--
		}
		if err := tx.Create(&rows).Error; err != nil {
			return err
		}
		return gormStocks(tx, list)
	})
}

func (p *gormPeer) InsertMany(ctx context.Context, n int) error {
	list := make([]gormCustomer, n)
	for i := range list {
		list[i] = newGormCustomer()
	}
	return p.db.WithContext(ctx).Create(&list).Error
}

func (p *gormPeer) UpdateMany(ctx context.Context) error {
	return p.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var list []gormProduct
		if err := tx.Find(&list).Error; err != nil {
			return err
		}
		for i := range list {
			list[i].Stock += amount(i)
		}
		return gormStocks(tx, list)
	})
}

func (p *gormPeer) Read(ctx context.Context) error {
	var list []gormProduct
	err := p.db.WithContext(ctx).Find(&list).Error
	if err == nil && len(list) != products {
		err = errCount
	}
	return err
}
