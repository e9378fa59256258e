package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// store is the shop as its clients know it: an address.
type store struct {
	url      string
	client   *http.Client
	user     string
	products []string // their ids
}

// sales are what one client did.
type sales struct {
	placed, short int
	sold          map[string]int64 // by product
	latencies     []time.Duration
	err           error // the first thing that must not happen
}

func (s *sales) add(other sales) {
	s.placed += other.placed
	s.short += other.short
	s.latencies = append(s.latencies, other.latencies...)
	s.err = errors.Join(s.err, other.err)
	for id, n := range other.sold {
		s.sold[id] += n
	}
}

type order struct {
	UserID string `json:"user_id"`
	Lines  []line `json:"lines"`
}

type line struct {
	ProductID string `json:"product_id"`
	Quantity  int64  `json:"quantity"`
}

func newStore(url string) *store {
	return &store{url: url, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 1024},
		Timeout:   time.Minute,
	}}
}

// stockUp makes the user and the products.
func (s *store) stockUp(ctx context.Context) error {
	var made struct{ ID string }
	user := map[string]any{"name": "Ann", "email": "ann@example.com"}
	if err := s.expect(ctx, http.StatusCreated, "POST", "/users", user, &made); err != nil {
		return err
	}
	s.user = made.ID
	for i := range products {
		product := map[string]any{"sku": fmt.Sprintf("P%d", i), "name": "thing", "price_cents": 100 + i, "stock": stockOf(i)}
		if err := s.expect(ctx, http.StatusCreated, "POST", "/products", product, &made); err != nil {
			return err
		}
		s.products = append(s.products, made.ID)
	}
	return nil
}

// stockOf is the stock of product i at the beginning.
func stockOf(i int) int64 {
	if i == 0 {
		return scarceStock
	}
	return plenty
}

// buy places orders until the deadline or until something goes wrong.
func (s *store) buy(ctx context.Context, deadline time.Time) (done sales) {
	done.sold = map[string]int64{}
	for time.Now().Before(deadline) && done.err == nil && ctx.Err() == nil {
		done.err = s.buyOnce(ctx, &done)
	}
	return done
}

// buyOnce places one order of one to three lines.
func (s *store) buyOnce(ctx context.Context, done *sales) error {
	o := order{UserID: s.user}
	scarce := false
	for _, i := range rand.Perm(products)[:1+rand.N(3)] {
		scarce = scarce || i == 0
		o.Lines = append(o.Lines, line{s.products[i], 1 + rand.Int64N(3)})
	}
	var problem struct{ Kind, Detail string }
	begin := time.Now()
	status, err := s.call(ctx, "POST", "/orders", o, &problem)
	if err != nil {
		return err
	}
	done.latencies = append(done.latencies, time.Since(begin))
	switch {
	case status == http.StatusCreated:
		done.placed++
		for _, l := range o.Lines {
			done.sold[l.ProductID] += l.Quantity
		}
		return nil
	case status == http.StatusConflict && problem.Kind == "conflict" && scarce:
		done.short++
		return nil
	default:
		return fmt.Errorf("an order was answered with %d %s: %s", status, problem.Kind, problem.Detail)
	}
}

// audit compares the shop's books with what its clients know.
func (s *store) audit(ctx context.Context, all sales) error {
	var errs []error
	for i, id := range s.products {
		var p struct{ Stock int64 }
		if err := s.expect(ctx, http.StatusOK, "GET", "/products/"+id, nil, &p); err != nil {
			return err
		}
		if want := stockOf(i) - all.sold[id]; p.Stock != want || p.Stock < 0 {
			errs = append(errs, fmt.Errorf("product %d has %d left, not %d", i, p.Stock, want))
		}
	}
	for path, want := range map[string]int{"/orders": all.placed, "/audit": all.placed + all.short} {
		var page struct{ Total int }
		if err := s.expect(ctx, http.StatusOK, "GET", path+"?page_size=1", nil, &page); err != nil {
			return err
		}
		if page.Total != want {
			errs = append(errs, fmt.Errorf("%s has %d entries, not %d", path, page.Total, want))
		}
	}
	return errors.Join(errs...)
}

// expect calls the shop and fails unless it answers with the status.
func (s *store) expect(ctx context.Context, want int, method, path string, in, out any) error {
	status, err := s.call(ctx, method, path, in, out)
	if err == nil && status != want {
		err = fmt.Errorf("%s %s was answered with %d", method, path, status)
	}
	return err
}

// call calls the shop and decodes what it answers.
func (s *store) call(ctx context.Context, method, path string, in, out any) (status int, err error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(r)
	if err != nil {
		return 0, err
	}
	data, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return 0, err
	}
	return response.StatusCode, json.Unmarshal(data, out)
}
