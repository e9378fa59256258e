// Command shop runs the example shop:
//
//	go run ./examples/shop
//
// It needs no service: its database is an SQLite file, shop.db, unless -db names another one or a PostgreSQL database.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"strings"

	"github.com/urutu-go/urutu"
	"github.com/urutu-go/urutu/examples/shop/shop"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/web"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	database := flag.String("db", "shop.db", "an SQLite file, or a postgres:// URL")
	flag.Parse()

	if err := run(context.Background(), *addr, *database); err != nil {
		slog.Error("the shop is closed", "error", err)
		os.Exit(1)
	}
}

// run opens the database and serves until the process is told to stop; requests under way are finished first.
func run(ctx context.Context, addr, database string) error {
	if !strings.Contains(database, "://") {
		database = "sqlite:///" + database
	}
	db, err := session.Open(ctx, shop.Config(database))
	if err != nil {
		return err
	}
	if err := shop.CreateTables(ctx, db); err != nil {
		return err
	}
	app := &urutu.App{Name: "shop", Resources: []urutu.Resource{db}}
	server := web.NewServer(web.ServerConfig{Addr: addr, Handler: shop.API(db, app.Ready)})
	app.Components = []urutu.Component{server}
	slog.Info("the shop opens", "page", "http://"+addr+"/", "api", "http://"+addr+"/docs")
	return app.Run(ctx)
}
