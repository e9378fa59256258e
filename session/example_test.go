package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

type Article struct {
	entity.Identifiable
	entity.Dated
	Title string `db:"title,unique"`
	Body  string
}

var articles = entity.Columns[Article]()

// openArticles opens a database in memory with the table of articles.
func openArticles() *session.DB {
	db, err := session.Open(context.Background(), session.Config{
		URL:     "sqlite:///:memory:",
		Drivers: []driver.Driver{sqlitedriver.New()},
	})
	if err != nil {
		log.Fatal(err)
	}
	err = db.Do(context.Background(), func(ctx context.Context) error {
		return session.CreateTables(ctx, (*Article)(nil))
	})
	if err != nil {
		log.Fatal(err)
	}
	return db
}

// A unit of work: what it adds and changes is written by its commit.
func ExampleDB_Do() {
	db := openArticles()
	defer db.Close()
	ctx := context.Background()

	article := &Article{Title: "Units of work"}
	err := db.Do(ctx, func(ctx context.Context) error {
		return session.Add(ctx, article)
	})
	fmt.Println(err, article.CreatedAt.Equal(article.UpdatedAt))

	err = db.Do(ctx, func(ctx context.Context) error {
		found, err := session.Get[Article](ctx, article.ID)
		if err != nil {
			return err
		}
		found.Body = "One unit of work wraps every request." // nothing else to do: the commit writes it
		return nil
	})
	fmt.Println(err)
	// Output:
	// <nil> true
	// <nil>
}

func ExampleFind() {
	db := openArticles()
	defer db.Close()

	err := db.Do(context.Background(), func(ctx context.Context) error {
		if err := session.Add(ctx, &Article{Title: "b"}, &Article{Title: "a"}, &Article{Title: "z"}); err != nil {
			return err
		}
		found, err := session.Find[Article](ctx, query.Lt(&articles.Title, "c"), query.Asc(&articles.Title))
		for _, a := range found {
			fmt.Println(a.Title)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// a
	// b
}

// A failure inside a savepoint leaves the unit around it usable.
func ExampleNested() {
	db := openArticles()
	defer db.Close()

	err := db.Do(context.Background(), func(ctx context.Context) error {
		if err := session.Add(ctx, &Article{Title: "taken"}); err != nil {
			return err
		}
		err := session.Nested(ctx, func(ctx context.Context) error {
			return session.Add(ctx, &Article{Title: "taken"})
		})
		fmt.Println("duplicate:", errors.Is(err, fault.Unique))
		return session.Add(ctx, &Article{Title: "free"})
	})
	fmt.Println("committed:", err == nil)
	// Output:
	// duplicate: true
	// committed: true
}

// An independent unit commits whatever becomes of the one around it.
func ExampleNew() {
	db := openArticles()
	defer db.Close()
	ctx := context.Background()

	_ = db.Do(ctx, func(ctx context.Context) error {
		err := session.New(ctx, func(ctx context.Context) error {
			return session.Add(ctx, &Article{Title: "kept"})
		})
		if err != nil {
			return err
		}
		return errors.New("something went wrong")
	})
	_ = db.Do(ctx, func(ctx context.Context) error {
		n, err := session.Count[Article](ctx)
		fmt.Println(n, err)
		return err
	})
	// Output: 1 <nil>
}

func ExamplePage() {
	db := openArticles()
	defer db.Close()

	err := db.Do(context.Background(), func(ctx context.Context) error {
		for i := range 7 {
			if err := session.Add(ctx, &Article{Title: fmt.Sprint("article ", i)}); err != nil {
				return err
			}
		}
		page, err := session.Page[Article](ctx, query.PageRequest{Page: 2, PageSize: 3}, query.Asc(&articles.Title))
		if err != nil {
			return err
		}
		fmt.Println(page.Total, len(page.Items), page.Items[0].Title)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 7 1 article 6
}

// The page that a duplicate key was flushed for: flush, look at the error, roll back, and tell the caller.
func ExampleFlush() {
	db := openArticles()
	defer db.Close()

	create := func(ctx context.Context, title string) error {
		if err := session.Add(ctx, &Article{Title: title}); err != nil {
			return err
		}
		err := session.Flush(ctx)
		if errors.Is(err, fault.Unique) {
			if err := session.Rollback(ctx); err != nil {
				return err
			}
			return fault.Newf(fault.Conflict, "an article named %q exists already", title)
		}
		return err
	}
	for range 2 {
		err := db.Do(context.Background(), func(ctx context.Context) error { return create(ctx, "once") })
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// conflict: an article named "once" exists already
}
