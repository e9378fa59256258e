package shop

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/bus"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
)

// OrderPlaced tells that an order was placed. It is published by the unit that places the order: where there is one, there
// is the other.
type OrderPlaced struct {
	OrderID uuid.UUID `json:"order_id"`
}

// MessageType names the topic. It is required that somebody listens: an order that nobody charges must not be placed.
func (OrderPlaced) MessageType() message.Type {
	return message.Type{Topic: "shop.order.placed", Required: true}
}

// MessageKey puts all messages about one order in a row.
func (m OrderPlaced) MessageKey() string { return m.OrderID.String() }

// pay charges an order. The status that it sets and the end of the message are one commit. It may be called again for an
// order that was charged, where the process died in between: the provider is given the order's id, and charges it once.
func pay(ctx context.Context, m OrderPlaced) error {
	order, err := session.Get[Order](ctx, m.OrderID)
	if err != nil || order.Status == Paid {
		return err
	}
	user, err := session.Get[User](ctx, order.UserID)
	if err != nil {
		return err
	}
	delivery, _ := bus.Current(ctx)
	switch err := charge(order.ID, user.Email, order.TotalCents, delivery.Failures); {
	case errors.Is(err, errDeclined):
		if err := decline(ctx, order.ID); err != nil {
			return err
		}
		return bus.Permanent(err) // it waits for somebody who talks to the customer
	case err != nil:
		return err // it is tried again, after a pause
	}
	order.Status = Paid
	return nil
}

// decline marks an order in a transaction of its own, since that of the message is rolled back.
func decline(ctx context.Context, id uuid.UUID) error {
	return session.New(ctx, func(ctx context.Context) error {
		order, err := session.Get[Order](ctx, id)
		if err == nil && order.Status == Placed {
			order.Status = Declined
		}
		return err
	})
}

var (
	errDeclined = errors.New("the payment provider declines the charge")
	errNoAnswer = errors.New("the payment provider does not answer")
)

// charge pretends to ask a payment provider. What it says follows from the customer's email: "flaky+..." is not answered
// twice, and "declined+..." is declined for good.
func charge(_ uuid.UUID, email string, _ int64, failures int) error {
	switch {
	case strings.HasPrefix(email, "flaky+") && failures < 2:
		return errNoAnswer
	case strings.HasPrefix(email, "declined+"):
		return errDeclined
	default:
		return nil
	}
}
