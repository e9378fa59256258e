package urutu_test

// The snippets of the persistence page that urutu implements, in the page's order, each as a test. docs/names.md has its
// names beside ours. One section is not here: the publishing of messages, which package bus shows.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu"
	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/urututest"
	"github.com/urutu-go/urutu/web"
)

// Entity models: BaseEntity. Any struct is an entity; the page's has a key that is text.
type pageUser struct {
	entity.Table `db:"table:users"`
	ID           string `db:"id,pk"`
	Name         string
	Email        string `db:"email,unique"`
}

// DatedEntity.
type pageArticle struct {
	entity.Table `db:"table:articles"`
	entity.Dated
	ID      string `db:"id,pk"`
	Title   string
	Content string
}

// IdentifiableEntity.
type pageProduct struct {
	entity.Table `db:"table:products"`
	entity.Identifiable
	Name  string
	Price float64
}

type pageAuditLog struct {
	entity.Table `db:"table:audit_logs"`
	entity.Identifiable
	Action string
}

// Pydantic integration: the DTO.
type pageUserSchema struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

var pageUsers = entity.Columns[pageUser]()

var pageEntities = urututest.Config{
	Entities: []any{(*pageUser)(nil), (*pageArticle)(nil), (*pageProduct)(nil), (*pageAuditLog)(nil)},
}

// onEachDatabase runs a snippet of the page on every database.
func onEachDatabase(t *testing.T, fn func(t *testing.T, db *session.DB)) {
	t.Helper()
	t.Parallel()
	urututest.Each(t, pageEntities, fn)
}

// countOf counts the rows of T in a unit of its own.
func countOf[T any](t *testing.T, db *session.DB) (n int64) {
	t.Helper()
	urututest.Do(t, db, func(ctx context.Context) (err error) {
		n, err = session.Count[T](ctx)
		return err
	})
	return n
}

func pageDrivers() []driver.Driver { return []driver.Driver{pgxdriver.New(), sqlitedriver.New()} }

// asPage writes a PostgreSQL URL as the page does.
func asPage(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	return "postgresql+asyncpg://" + rest
}

// "1. AIOSqlAlchemySessionInterceptor": one declaration of a service with its connection.
func TestPromise53_Microservice(t *testing.T) {
	t.Parallel()
	db, err := session.Open(t.Context(), session.Config{
		Name:    "default",
		URL:     asPage(urututest.URL(t, urututest.InPostgres)),
		Drivers: pageDrivers(),
		Default: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := web.NewServer(web.ServerConfig{Addr: "127.0.0.1:0", Handler: web.New(web.Config{Runner: db.Runner()})})
	app := &urutu.App{
		Name:       "my-service",
		Resources:  []urutu.Resource{db},
		Components: []urutu.Component{server},
	}
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := app.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if err := app.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// "use_session()": the session is in the context; the transaction is committed by the unit.
func createUser(ctx context.Context, in pageUserSchema) (*pageUser, error) {
	user := &pageUser{ID: in.ID, Name: in.Name, Email: in.Email}
	return user, session.Add(ctx, user)
}

func TestPromise53_UseSession(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, db *session.DB) {
		urututest.Do(t, db, func(ctx context.Context) error {
			_, err := createUser(ctx, pageUserSchema{ID: "1", Name: "John", Email: "john@example.com"})
			return err
		})
		if n := countOf[pageUser](t, db); n != 1 {
			t.Errorf("%d users", n)
		}
	})
}

// "providing_new_session()": an audit log that persists although the main transaction fails.
func createAuditLog(ctx context.Context, action string) error {
	return session.New(ctx, func(ctx context.Context) error {
		return session.Add(ctx, &pageAuditLog{Action: action})
	})
}

func TestPromise53_ProvidingNewSession(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, db *session.DB) {
		failed := errors.New("failed")
		err := db.Do(t.Context(), func(ctx context.Context) error {
			if err := session.Add(ctx, &pageUser{ID: "1", Name: "John", Email: "john@example.com"}); err != nil {
				return err
			}
			return errors.Join(createAuditLog(ctx, "user_created"), failed)
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
		if users, logs := countOf[pageUser](t, db), countOf[pageAuditLog](t, db); users != 0 || logs != 1 {
			t.Errorf("%d users and %d lines of audit", users, logs)
		}
		// Without a request around it: a background task, a batch.
		if err := createAuditLog(db.Context(t.Context()), "nightly"); err != nil {
			t.Error(err)
		}
		if n := countOf[pageAuditLog](t, db); n != 2 {
			t.Errorf("%d lines of audit", n)
		}
	})
}

// twoDatabases opens a default connection and another one on SQLite.
func twoDatabases(t *testing.T, second session.Name) *session.DB {
	t.Helper()
	db, err := session.Open(t.Context(),
		session.Config{Name: "default", URL: urututest.URL(t, urututest.InSQLite), Drivers: pageDrivers(), Default: true},
		session.Config{Name: second, URL: urututest.URL(t, urututest.InSQLite), Drivers: pageDrivers()},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	urututest.Do(t, db, func(ctx context.Context) error {
		return errors.Join(
			session.CreateTables(ctx, pageEntities.Entities...),
			session.CreateTables(session.On(ctx, second), pageEntities.Entities...),
		)
	})
	return db
}

// "3. SessionManager protocol": a session of one's own on a named connection.
func TestPromise53_SessionManager(t *testing.T) {
	t.Parallel()
	var sessionManager session.Manager = twoDatabases(t, "secondary_db")

	newSession, err := sessionManager.Spawn(t.Context(), "secondary_db")
	if err != nil {
		t.Fatal(err)
	}
	ctx := newSession.Context(t.Context())
	if err := session.Add(ctx, &pageUser{ID: "1", Name: "John", Email: "john@example.com"}); err != nil {
		t.Error(err)
	}
	if err := errors.Join(newSession.Commit(t.Context()), newSession.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := sessionManager.Spawn(t.Context(), "nowhere"); !errors.Is(err, fault.Misconfigured) {
		t.Errorf("an unknown name is %v", err)
	}
}

// "DatedEntity" and "IdentifiableEntity": dates and keys are handled.
func TestPromise53_Entities(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, db *session.DB) {
		article := &pageArticle{ID: "a", Title: "Title", Content: "Content"}
		product := &pageProduct{Name: "Thing", Price: 9.99}
		urututest.Do(t, db, func(ctx context.Context) error {
			err := errors.Join(session.Add(ctx, article), session.Add(ctx, product))
			if article.CreatedAt.IsZero() || article.CreatedAt != article.UpdatedAt || product.ID == uuid.Nil {
				t.Errorf("after Add: %+v %+v", article, product)
			}
			return err
		})
		created := article.CreatedAt
		urututest.Do(t, db, func(ctx context.Context) error {
			found, err := session.Get[pageArticle](ctx, "a")
			if err != nil {
				return err
			}
			found.Title = "Another"
			article = found
			return nil
		})
		if !article.CreatedAt.Equal(created) || !article.UpdatedAt.After(created) {
			t.Errorf("created %s, then %s and updated %s", created, article.CreatedAt, article.UpdatedAt)
		}
		urututest.Do(t, db, func(ctx context.Context) error {
			found, err := session.Get[pageProduct](ctx, product.ID)
			if err == nil && found.Price != 9.99 {
				t.Errorf("the price is %v", found.Price)
			}
			return err
		})
	})
}

// "Converting between models".
func TestPromise53_Conversion(t *testing.T) {
	t.Parallel()
	// Entity to DTO.
	userEntity := &pageUser{ID: "1", Name: "John", Email: "john@example.com"}
	userSchema, err := entity.To[pageUserSchema](userEntity)
	if err != nil || userSchema != (pageUserSchema{ID: "1", Name: "John", Email: "john@example.com"}) {
		t.Errorf("%+v, %v", userSchema, err)
	}
	// DTO to entity.
	userData := pageUserSchema{ID: "2", Name: "Jane", Email: "jane@example.com"}
	userEntity, err = entity.From[pageUser](userData)
	if err != nil || *userEntity != (pageUser{ID: "2", Name: "Jane", Email: "jane@example.com"}) {
		t.Errorf("%+v, %v", userEntity, err)
	}
}

// "Multiple database connections".
func TestPromise53_MultipleConnections(t *testing.T) {
	t.Parallel()
	const analytics session.Name = "analytics"
	db := twoDatabases(t, analytics)

	urututest.Do(t, db, func(ctx context.Context) error {
		return errors.Join(
			session.Add(ctx, &pageUser{ID: "1", Name: "John", Email: "john@example.com"}),
			session.Add(session.On(ctx, analytics), &pageAuditLog{Action: "user_created"}),
		)
	})
	urututest.Do(t, db, func(ctx context.Context) error {
		for on, want := range map[session.Name][2]int64{session.Default: {1, 0}, analytics: {0, 1}} {
			users, err := session.Count[pageUser](session.On(ctx, on))
			if err != nil {
				return err
			}
			logs, err := session.Count[pageAuditLog](session.On(ctx, on))
			if err != nil {
				return err
			}
			if got := [2]int64{users, logs}; got != want {
				t.Errorf("%q has %v users and lines of audit, not %v", on, got, want)
			}
		}
		return nil
	})
}

// "Automatic transaction handling": a controller.
type pageUserController struct{}

func (pageUserController) createUser(ctx context.Context, in pageUserSchema) (*pageUser, error) {
	userEntity, err := entity.From[pageUser](in)
	if err != nil {
		return nil, err
	}
	return userEntity, session.Add(ctx, userEntity) // committed at the end of the request, then mapped
}

func TestPromise53_AutomaticTransaction(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, db *session.DB) {
		api := web.New(web.Config{Runner: db.Runner()})
		web.Post(api, "/api/users/", pageUserController{}.createUser, web.As[pageUserSchema]())

		post := func(body string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/users/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			api.ServeHTTP(w, r)
			return w
		}
		const john = `{"id":"1","name":"John","email":"john@example.com"}`
		if w := post(john); w.Code != http.StatusCreated || strings.TrimSpace(w.Body.String()) != john {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := post(john); w.Code != http.StatusConflict {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if n := countOf[pageUser](t, db); n != 1 {
			t.Errorf("%d users", n)
		}
	})
}

// "Manual transaction control".
func complexOperation(ctx context.Context, user *pageUser) error {
	err := session.Add(ctx, user)
	if err == nil {
		err = session.Commit(ctx) // explicit commit
	}
	if err != nil {
		return errors.Join(err, session.Rollback(ctx)) // explicit rollback
	}
	return nil
}

func TestPromise53_ManualControl(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, db *session.DB) {
		failed := errors.New("after the commit")
		err := db.Do(t.Context(), func(ctx context.Context) error {
			if err := complexOperation(ctx, &pageUser{ID: "1", Name: "John", Email: "john@example.com"}); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) || countOf[pageUser](t, db) != 1 {
			t.Errorf("%v: %d users", err, countOf[pageUser](t, db))
		}
		err = db.Do(t.Context(), func(ctx context.Context) error {
			return complexOperation(ctx, &pageUser{ID: "2", Name: "Another", Email: "john@example.com"})
		})
		if !errors.Is(err, fault.Unique) || countOf[pageUser](t, db) != 1 {
			t.Errorf("%v: %d users", err, countOf[pageUser](t, db))
		}
	})
}

// "Nested sessions": an independent one in the middle of the main operation. The main one has not been flushed, so that
// SQLite's one writer is free.
func TestPromise53_NestedSessions(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, db *session.DB) {
		urututest.Do(t, db, func(ctx context.Context) error {
			user := &pageUser{ID: "1", Name: "John", Email: "john@example.com"}
			if err := session.Add(ctx, user); err != nil {
				return err
			}
			err := session.New(ctx, func(ctx context.Context) error {
				return session.Add(ctx, &pageAuditLog{Action: "user_created"}) // commits independently
			})
			user.Name = "Johnny" // the main transaction continues
			return err
		})
		urututest.Do(t, db, func(ctx context.Context) error {
			user, err := session.Get[pageUser](ctx, "1")
			if err == nil && user.Name != "Johnny" {
				t.Errorf("the name is %s", user.Name)
			}
			return err
		})
	})
}

// "Query operations": the queries of one entity are a type of their own, which a filter struct is applied to.
type pageUserFilter struct {
	Name query.StringCriteria `json:"name"`
}

type pageUserQueries struct{ session.Repository[pageUser] }

func (q pageUserQueries) ListUsers(ctx context.Context, filter pageUserFilter) ([]*pageUser, error) {
	return q.List(ctx, query.ApplyFilters(filter), query.Asc(&pageUsers.ID))
}

// "Pagination", written by hand as on the page.
func paginatedUsers(ctx context.Context, page query.PageRequest) (query.Paginated[*pageUser], error) {
	total, err := session.Count[pageUser](ctx)
	if err != nil {
		return query.Paginated[*pageUser]{}, err
	}
	users, err := session.Find[pageUser](ctx,
		query.Asc(&pageUsers.ID), query.Offset(page.Offset()), query.Limit(page.PageSize))
	return query.Paginated[*pageUser]{Items: users, Total: total, Page: page.Page, PageSize: page.PageSize}, err
}

func TestPromise53_QueriesAndPagination(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, db *session.DB) {
		urututest.Do(t, db, func(ctx context.Context) error {
			for i := range 5 {
				user := &pageUser{ID: fmt.Sprint(i), Name: []string{"John", "Jane"}[i%2], Email: fmt.Sprint(i)}
				if err := session.Add(ctx, user); err != nil {
					return err
				}
			}
			return nil
		})
		for _, c := range []struct {
			filter pageUserFilter
			want   int
		}{
			{pageUserFilter{Name: query.StringCriteria{Value: "John", IsExact: true}}, 3},
			{pageUserFilter{Name: query.StringCriteria{Value: "AN"}}, 2},
			{pageUserFilter{}, 5},
		} {
			urututest.Do(t, db, func(ctx context.Context) error {
				found, err := pageUserQueries{}.ListUsers(ctx, c.filter)
				if len(found) != c.want {
					t.Errorf("%d are found by %+v, want %d", len(found), c.filter, c.want)
				}
				return err
			})
		}
		page := query.PageRequest{Page: 1, PageSize: 2}
		urututest.Do(t, db, func(ctx context.Context) error {
			byHand, err := paginatedUsers(ctx, page)
			if err != nil {
				return err
			}
			byVerb, err := session.Page[pageUser](ctx, page, query.Asc(&pageUsers.ID))
			for _, p := range []query.Paginated[*pageUser]{byHand, byVerb} {
				if len(p.Items) != 2 || p.Items[0].ID != "2" || p.Total != 5 || p.Page != 1 || p.PageSize != 2 {
					t.Errorf("%+v", p)
				}
			}
			return err
		})
	})
}

// "Example with full configuration".
func TestPromise53_FullConfiguration(t *testing.T) {
	t.Parallel()
	db, err := session.Open(t.Context(), session.Config{
		Name:        "default",
		URL:         asPage(urututest.URL(t, urututest.InPostgres)),
		Drivers:     pageDrivers(),
		Default:     true,
		Echo:        true, // SQL logging in development
		PoolSize:    10,
		MaxOverflow: 20,
		PoolTimeout: 30 * time.Second,
		PoolRecycle: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := db.Stats()["default"].MaxOpenConnections; got != 30 {
		t.Errorf("at most %d connections", got)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// "Error handling".
func createUserSafe(ctx context.Context, in pageUserSchema) (*pageUser, error) {
	user, err := createUser(ctx, in)
	if err != nil {
		return nil, err
	}
	err = session.Flush(ctx) // check for errors before commit
	if fault.IsConstraint(err) {
		// Duplicate key and the like.
		return nil, errors.Join(fmt.Errorf("user already exists: %w", err), session.Rollback(ctx))
	}
	return user, err
}

func TestPromise53_ErrorHandling(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, db *session.DB) {
		john := pageUserSchema{ID: "1", Name: "John", Email: "john@example.com"}
		urututest.Do(t, db, func(ctx context.Context) error {
			_, err := createUserSafe(ctx, john)
			return err
		})
		john.ID = "2"
		urututest.Do(t, db, func(ctx context.Context) error {
			_, err := createUserSafe(ctx, john)
			var e *fault.Error
			if !errors.Is(err, fault.Unique) || !errors.As(err, &e) || e.Constraint != "users_email_key" {
				t.Errorf("a taken email is %v", err)
			}
			// The session goes on after the rollback.
			return session.Add(ctx, &pageAuditLog{Action: "refused"})
		})
		if users, logs := countOf[pageUser](t, db), countOf[pageAuditLog](t, db); users != 1 || logs != 1 {
			t.Errorf("%d users and %d lines of audit", users, logs)
		}
	})
}

// "Testing": a test's own database in memory, as the page writes it. urututest.SQLite is the short form.
func TestPromise53_Testing(t *testing.T) {
	t.Parallel()
	db, err := session.Open(t.Context(), session.Config{
		Name:    "test",
		URL:     "sqlite+aiosqlite:///:memory:",
		Drivers: pageDrivers(),
		Default: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	urututest.Do(t, db, func(ctx context.Context) error {
		return errors.Join(
			session.CreateTables(ctx, (*pageUser)(nil)),
			session.Add(ctx, &pageUser{ID: "1", Name: "John", Email: "john@example.com"}),
		)
	})
	if n := countOf[pageUser](t, db); n != 1 {
		t.Errorf("%d users", n)
	}
}
