// Command shop runs the example shop:
//
//	go run ./examples/shop
//	go run ./examples/shop messages list
//
// It needs no service: its database is an SQLite file, shop.db, unless -db names another one or a PostgreSQL database.
// The second line is for the shop's staff: "messages" operates the messages of the same database, while the shop is open
// or closed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/urutu-go/urutu"
	"github.com/urutu-go/urutu/cli"
	"github.com/urutu-go/urutu/examples/shop/shop"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/web"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	database := flag.String("db", "shop.db", "an SQLite file, or a postgres:// URL")
	role := flag.String("role", "all", "what this process does: web, worker, or all; several may share a database")
	flag.Parse()

	if err := run(context.Background(), *addr, *database, *role, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(cli.ExitCode(err))
	}
}

// run opens the database and runs a command, or serves until the process is told to stop.
func run(ctx context.Context, addr, database, role string, command []string) error {
	if !strings.Contains(database, "://") {
		database = "sqlite:///" + database
	}
	db, err := session.Open(ctx, shop.Config(database))
	if err != nil {
		return err
	}
	if err := shop.CreateTables(ctx, db); err != nil {
		return errors.Join(err, db.Close())
	}
	if len(command) > 0 {
		err := cli.Run(ctx, cli.Terminal{}, command, cli.Messages(db, cli.MessagesConfig{}))
		return errors.Join(err, db.Close())
	}
	return serve(ctx, db, addr, role)
}

// roles are what the parts of the shop call their roles, by what -role calls them. Without any, all parts run.
var roles = map[string][]string{"all": nil, "web": {"http"}, "worker": {"worker"}}

// serve runs the shop, or a part of it, until the process is told to stop; what is under way is finished first.
func serve(ctx context.Context, db *session.DB, addr, role string) error {
	played, known := roles[role]
	if !known {
		return errors.Join(fmt.Errorf("-role is web, worker or all, not %q", role), db.Close())
	}
	app := &urutu.App{Name: "shop", Resources: []urutu.Resource{db}, Roles: played}
	server := web.NewServer(web.ServerConfig{Addr: addr, Handler: shop.API(db, app.Ready)})
	app.Components = []urutu.Component{shop.Bus(db).Worker(), server}
	if role != "worker" {
		slog.Info("the shop opens", "page", "http://"+addr+"/", "api", "http://"+addr+"/docs")
	}
	return app.Run(ctx)
}
