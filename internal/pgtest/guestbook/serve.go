package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// patience is how long a request may wait for the database.
const patience = 10 * time.Second

// guestbook answers for one version.
type guestbook struct {
	name string
	version
	pool *pgxpool.Pool
}

// serve answers on $PORT, or 3000, until ctx ends. The database is connected to
// when it is needed, and anew when it was away.
func serve(ctx context.Context, name string, v version) error {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return errors.New("DATABASE_URL is no URL of a database")
	}
	config.MaxConns = 6
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return errors.New("no pool of connections can be made")
	}
	defer pool.Close()
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	server := &http.Server{Addr: ":" + port, Handler: (&guestbook{name, v, pool}).routes(), ReadHeaderTimeout: patience}
	done := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(done)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		_ = server.Shutdown(limited)
	})
	log.Printf("version %s begins", name)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-done
	return nil
}

// routes: /health needs no database; /ready asks it for what both a read and a
// write need.
func (g *guestbook) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, g.name) })
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, g.name) })
	mux.HandleFunc("GET /ready", g.ready)
	mux.HandleFunc("GET /entries", g.list)
	mux.HandleFunc("POST /entries", g.write)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Guestbook-Version", g.name)
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (g *guestbook) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	// A transaction that writes and takes it back, so that a read-only server is not ready.
	err := pgx.BeginFunc(ctx, g.pool, func(tx pgx.Tx) error {
		var id int64
		if err := tx.QueryRow(ctx, g.version.write, "probe", "probe").Scan(&id); err != nil {
			return err
		}
		return errTakenBack
	})
	if !errors.Is(err, errTakenBack) {
		http.Error(w, told(err).Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, g.name)
}

var errTakenBack = errors.New("taken back")

func (g *guestbook) list(w http.ResponseWriter, r *http.Request) {
	rows, _ := g.pool.Query(r.Context(), g.read)
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (line string, err error) {
		var author, message string
		err = row.Scan(&author, &message)
		return author + ": " + message, err
	})
	if err != nil {
		http.Error(w, told(err).Error(), http.StatusInternalServerError)
		return
	}
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}

// write adds an entry and answers with its id.
func (g *guestbook) write(w http.ResponseWriter, r *http.Request) {
	var id int64
	err := g.pool.QueryRow(r.Context(), g.version.write, r.FormValue("author"), r.FormValue("message")).Scan(&id)
	if err != nil {
		http.Error(w, told(err).Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintln(w, id)
}
