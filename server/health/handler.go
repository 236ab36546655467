package health

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"unionsync/internal/text"
)

// Handler answers on the node's address for health:
//
//	/livez                      the process is alive; else restart it
//	/readyz                     everything is well
//	/readyz/exchange            agents may come here
//	/readyz/counts              counts may be asked here
//	/metrics                    for Prometheus
//	/debug/log, /debug/pprof/…  to callers on this machine only
//
// The first four answer 200 or 503, with one line; with ?verbose one line for each check,
// with ?json an array of [Result].
func (h *Health) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /livez", h.checks(ForLife))
	mux.Handle("GET /readyz", h.checks(ForLife, ForExchange, ForCounts, ForOperator))
	mux.Handle("GET /readyz/exchange", h.checks(ForLife, ForExchange))
	mux.Handle("GET /readyz/counts", h.checks(ForLife, ForCounts))
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	mux.Handle("GET /debug/log", here(http.HandlerFunc(h.log)))
	mux.Handle("GET /debug/pprof/", here(http.HandlerFunc(pprof.Index)))
	mux.Handle("GET /debug/pprof/profile", here(http.HandlerFunc(pprof.Profile)))
	mux.Handle("GET /debug/pprof/trace", here(http.HandlerFunc(pprof.Trace)))
	return mux
}

// maxScrapes is how many scrapes are answered at once.
const maxScrapes = 4

// checks answers by the checks for some purposes.
func (h *Health) checks(purposes ...Purpose) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		results := h.cfg.Checks.Run(context.WithoutCancel(r.Context()), purposes...)
		q := r.URL.Query()
		asJSON := q.Has("json")
		w.Header().Set("Cache-Control", "no-store")
		if asJSON {
			w.Header().Set("Content-Type", "application/json")
		} else {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
		if Failed(results) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if asJSON {
			_ = json.NewEncoder(w).Encode(results) // a caller that is gone reads nothing
			return
		}
		_, _ = fmt.Fprint(w, plain(results, q.Has("verbose")))
	})
}

// plain says results in lines, those that are bad always.
func plain(results []Result, verbose bool) string {
	var b strings.Builder
	for i := range results {
		r := &results[i]
		switch {
		case !r.OK:
			fmt.Fprintf(&b, "[-]%s: %s\n", r.Name, text.Sentence(text.English, r.Err()))
		case verbose:
			fmt.Fprintf(&b, "[+]%s ok\n", r.Name)
		}
	}
	if Failed(results) {
		return b.String() + "not ready\n"
	}
	return b.String() + "ok\n"
}

// here lets only callers on this machine in: what lies behind tells more of the process
// than whoever watches it needs.
func here(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			http.Error(w, "from this machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// log gives the newest lines of the node's log.
func (h *Health) log(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if h.cfg.Recent != nil {
		_, _ = w.Write(h.cfg.Recent.Bytes())
	}
}
