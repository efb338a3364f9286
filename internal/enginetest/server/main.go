// Command server is the backend that tests put into images: its flags make it
// behave, or misbehave, like a release. It must not know what is tested with it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	release := flag.String("release", "unnamed", "what / answers with")
	port := flag.Int("port", defaultPort(), "port to listen on; default $PORT, or 3000")
	exit := flag.Int("exit", -1, "write the numbered lines, say two more and exit with this code")
	environment := flag.Bool("environment", false, "write the environment, a variable in a line")
	eat := flag.Bool("eat", false, "eat up to a gibibyte of memory before anything else")
	unhealthy := flag.Bool("unhealthy", false, "answer 503 to every health check")
	slow := flag.Duration("slow", 0, "time before it listens, or exits")
	lingers := flag.Bool("lingers", false, "ignore the stop signal")
	lines := flag.Int("lines", 0, "number of numbered lines to write to both streams, in turn")
	pace := flag.Duration("pace", 0, "pause after every hundred of them")
	flag.Parse()

	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	log.Printf("release %s begins", *release)
	if *environment {
		log.Print(strings.Join(os.Environ(), "\n"))
	}
	if *eat {
		log.Print("ate ", gorge(), " MB")
	}
	if *exit >= 0 {
		number(*lines, *pace)
		time.Sleep(*slow)
		fmt.Fprintln(os.Stderr, "fatal: cannot go on")
		os.Exit(*exit)
	}
	go number(*lines, *pace)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for s := range stop {
			log.Printf("received %v", s)
			if !*lingers {
				os.Exit(0)
			}
		}
	}()
	time.Sleep(*slow)
	log.Fatal(http.ListenAndServe(":"+strconv.Itoa(*port), routes(*release, *unhealthy)))
}

// number writes numbered lines, even ones to standard output and odd ones to
// standard error. Some are long, some are not UTF-8.
func number(lines int, pace time.Duration) {
	for n := range lines {
		to := os.Stdout
		if n%2 == 1 {
			to = os.Stderr
		}
		text := fmt.Sprintf("line %d ", n) + strings.Repeat("x", n%400)
		switch {
		case n%4999 == 0:
			text += strings.Repeat("ñ", 20_000) // longer than the engine keeps in one piece
		case n == 777:
			text += strings.Repeat("é", 100_000) // longer than a line may be
		case n%499 == 0:
			text += "\xff\xfe"
		}
		fmt.Fprintln(to, text)
		if n%100 == 99 && pace > 0 {
			time.Sleep(pace)
		}
	}
}

// gorge eats a gibibyte, if it may.
func gorge() (megabytes int) {
	var eaten [][]byte
	for range 1 << 10 {
		eaten = append(eaten, bytes.Repeat([]byte{1}, 1<<20))
	}
	return len(eaten)
}

func routes(release string, unhealthy bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, release) })
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		if unhealthy {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, release)
	})
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Join(os.Environ(), "\n"))
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		text, err := os.ReadFile(r.FormValue("path"))
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintln(w, err)
			return
		}
		_, _ = w.Write(text)
	})
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		if err := os.WriteFile(r.FormValue("path"), []byte(r.FormValue("text")), 0o644); err != nil {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintln(w, err)
		}
	})
	mux.HandleFunc("/eat", func(w http.ResponseWriter, r *http.Request) {
		log.Print("eats memory as told")
		fmt.Fprintln(w, "ate", gorge(), "MB")
	})
	mux.HandleFunc("/exit", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		log.Printf("exits with %d as told", code)
		os.Exit(code)
	})
	return mux
}

func defaultPort() int {
	if port, err := strconv.Atoi(os.Getenv("PORT")); err == nil {
		return port
	}
	return 3000
}
