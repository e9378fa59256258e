package session_test

import (
	"context"
	"fmt"
	"log"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

type Author struct {
	entity.Identifiable
	Name  string
	Posts []*Post `rel:"posts.author_id"`
}

type Post struct {
	entity.Identifiable
	AuthorID uuid.UUID `db:"author_id,ref=authors"`
	Author   *Author   `rel:"author_id"`
	Title    string
	Topics   []*Topic `rel:"post_topics(post_id,topic_id)"`
}

type Topic struct {
	entity.Identifiable
	Name string
}

var (
	authors = entity.Columns[Author]()
	posts   = entity.Columns[Post]()
	topics  = entity.Columns[Topic]()
)

// openBlog opens a database in memory with two authors.
func openBlog(ctx context.Context) *session.DB {
	db, err := session.Open(ctx, session.Config{URL: "sqlite:///:memory:", Drivers: []driver.Driver{sqlitedriver.New()}})
	if err != nil {
		log.Fatal(err)
	}
	err = db.Do(ctx, func(ctx context.Context) error {
		// The table between posts and topics is made with them.
		return session.CreateTables(ctx, (*Author)(nil), (*Post)(nil), (*Topic)(nil))
	})
	if err != nil {
		log.Fatal(err)
	}
	err = db.Do(ctx, func(ctx context.Context) error {
		letters := &Post{Title: "Letters", Topics: []*Topic{{Name: "engines"}}}
		return session.Add(ctx, &Author{Name: "Ada", Posts: []*Post{{Title: "Notes"}, letters}}, &Author{Name: "Bob"})
	})
	if err != nil {
		log.Fatal(err)
	}
	return db
}

// Relations are loaded where they are asked for: one query for each, however many objects were found.
func ExampleLoad() {
	ctx := context.Background()
	db := openBlog(ctx)
	defer db.Close()

	err := db.Do(ctx, func(ctx context.Context) error {
		found, err := session.Find[Author](ctx, query.Asc(&authors.Name),
			query.With(&authors.Posts, query.Asc(&posts.Title)))
		if err != nil {
			return err
		}
		ada, bob := found[0], found[1]
		fmt.Println(ada.Posts[0].Title, ada.Posts[1].Title, len(bob.Posts), bob.Posts == nil)

		loaded, err := session.IsLoaded(ctx, ada.Posts[0], &ada.Posts[0].Topics)
		if err != nil {
			return err
		}
		fmt.Println("topics loaded:", loaded)
		err = session.Load(ctx, ada.Posts, query.With(&posts.Topics, query.Asc(&topics.Name)), query.With(&posts.Author))
		if err != nil {
			return err
		}
		fmt.Println(ada.Posts[0].Topics[0].Name, len(ada.Posts[1].Topics), ada.Posts[0].Author == ada)
		return nil
	})
	fmt.Println(err)
	// Output:
	// Letters Notes 0 false
	// topics loaded: false
	// engines 0 true
	// <nil>
}
