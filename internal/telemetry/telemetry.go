// Package telemetry is what operators watch: metrics as Prometheus reads them,
// and traces that go to an OpenTelemetry collector.
//
// It knows libraries and names; what is measured is told to it, or asked for
// when metrics are read. No decision rests on it, and no name, address, reason
// or secret is a label, an attribute or part of a span's name.
package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/health"
)

// scope names what measures.
const scope = "signalbox.dev/signalbox"

// Options say what is measured and where traces go.
type Options struct {
	Version string
	Traces  string // address of a collector that takes OTLP over HTTP; "" for no traces
	Log     *slog.Logger
	State   func(context.Context) (State, error) // asked when metrics are read
}

// State is what only the database knows.
type State struct {
	Facts      uint64        // in the journal
	Signed     uint64        // facts that the newest checkpoint covers
	Unsigned   time.Duration // age of the oldest fact that no checkpoint covers
	Writable   bool
	Stopped    bool            // the stop switch is pulled
	Lagging    map[string]bool // by name of view: it does not follow the journal
	VaultBytes int64
	VaultQuota int64         // 0: none
	Skew       time.Duration // our clock less the database's
}

// Telemetry measures. Close it: what it holds of traces is sent then.
type Telemetry struct {
	registry *prometheus.Registry
	meters   *sdkmetric.MeterProvider
	tracers  trace.TracerProvider
	flush    func(context.Context) error
	log      *slog.Logger
	state    func(context.Context) (State, error)
	known    health.Shared[State] // of state

	appended  metric.Float64Histogram
	facts     metric.Int64Counter
	decisions metric.Int64Counter
}

// Open begins to measure. Errors: fault Invalid for an address that is none.
func Open(ctx context.Context, o Options) (*Telemetry, error) {
	t := &Telemetry{registry: prometheus.NewRegistry(), log: o.Log, state: o.State, tracers: noop.NewTracerProvider(), flush: func(context.Context) error { return nil }}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(t.registry), exporter.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	about := resource.NewSchemaless(attribute.String("service.name", "signalbox"), attribute.String("service.version", o.Version))
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(about), sdkmetric.WithView(requests))
	if err := t.instruments(); err != nil {
		return nil, err
	}
	if o.Traces == "" {
		return t, nil
	}
	u, err := url.Parse(o.Traces)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, fault.Invalidf("telemetry.traces", "what traces are sent to is not the address of a collector").
			Remedy("write it as http://127.0.0.1:4318, without a name and password").On("--traces")
	}
	sent, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.JoinPath("v1/traces").String()))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Log.Warn("traces", "error", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(sent), sdktrace.WithResource(about), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	t.tracers, t.flush = provider, provider.Shutdown
	return t, nil
}

func (t *Telemetry) instruments() error {
	m := t.meters.Meter(scope)
	var errs [4]error
	t.appended, errs[0] = m.Float64Histogram("signalbox.append.duration", metric.WithUnit("s"),
		metric.WithDescription("From a command handed to the journal to its facts being durable, by outcome"),
		metric.WithExplicitBucketBoundaries(.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 15))
	t.facts, errs[1] = m.Int64Counter("signalbox.facts", metric.WithDescription("Facts that this process recorded, by kind"))
	t.decisions, errs[2] = m.Int64Counter("signalbox.decisions", metric.WithDescription("Answers of the gate, by verdict; standing ones were decided before"))
	errs[3] = t.gauges(m)
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// gauges are read from the database when metrics are.
func (t *Telemetry) gauges(m metric.Meter) error {
	var all []metric.Observable
	var errs []error
	gauge := func(name, unit, about string) metric.Float64ObservableGauge {
		g, err := m.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(about))
		all, errs = append(all, g), append(errs, err)
		return g
	}
	read := gauge("signalbox.state.read", "", "1 where the database told what the other gauges say, 0 where it did not and they are absent")
	size := gauge("signalbox.journal.facts", "", "Facts in the journal")
	signed := gauge("signalbox.checkpoint.facts", "", "Facts that the newest checkpoint covers")
	unsigned := gauge("signalbox.checkpoint.lag", "s", "Age of the oldest fact that no checkpoint covers, 0 where all are")
	writable := gauge("signalbox.journal.writable", "", "1 while facts can be recorded, 0 after a fault that ended it and while the disk is full")
	stopped := gauge("signalbox.releases.stopped", "", "1 while the stop switch is pulled")
	lagging := gauge("signalbox.view.lagging", "", "1 for a list that does not follow the journal")
	used := gauge("signalbox.vault.size", "By", "Bytes of all original files")
	quota := gauge("signalbox.vault.quota", "By", "Most bytes of all original files; absent where there is no bound")
	skew := gauge("signalbox.clock.skew", "s", "This machine's clock less the database's")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	measuring := health.Outage{Log: t.log, Level: slog.LevelWarn, Fault: "the state of the installation cannot be measured", Over: "the state of the installation is measured again"}
	_, err := m.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		s, err := t.known.Ask(ctx, t.state)
		measuring.Note(ctx, err)
		if err != nil {
			o.ObserveFloat64(read, 0)
			return nil
		}
		o.ObserveFloat64(read, 1)
		o.ObserveFloat64(size, float64(s.Facts))
		o.ObserveFloat64(signed, float64(s.Signed))
		o.ObserveFloat64(unsigned, s.Unsigned.Seconds())
		o.ObserveFloat64(writable, one(s.Writable))
		o.ObserveFloat64(stopped, one(s.Stopped))
		for name, lags := range s.Lagging {
			o.ObserveFloat64(lagging, one(lags), metric.WithAttributes(attribute.String("view", name)))
		}
		o.ObserveFloat64(used, float64(s.VaultBytes))
		if s.VaultQuota > 0 {
			o.ObserveFloat64(quota, float64(s.VaultQuota))
		}
		o.ObserveFloat64(skew, s.Skew.Seconds())
		return nil
	}, all...)
	return err
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Appended counts a command that the journal answered; outcome is "recorded",
// "repeated" or the kind of the fault.
func (t *Telemetry) Appended(ctx context.Context, took time.Duration, kinds []string, outcome string) {
	t.appended.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("outcome", outcome)))
	for _, k := range kinds {
		t.facts.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", k)))
	}
}

// Decided counts an answer of the gate.
func (t *Telemetry) Decided(ctx context.Context, verdict string, standing bool) {
	t.decisions.Add(ctx, 1, metric.WithAttributes(attribute.String("verdict", verdict), attribute.Bool("standing", standing)))
}

// Metrics serves what Prometheus reads.
func (t *Telemetry) Metrics() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(t.log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4, Timeout: 30 * time.Second})
}

// requests keeps of a request what does not depend on what its caller writes: a
// label for each host name that somebody makes up would fill the memory.
func requests(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
	if !strings.HasPrefix(i.Name, "http.server.") {
		return sdkmetric.Stream{}, false
	}
	s := sdkmetric.Stream{Name: i.Name, Description: i.Description, Unit: i.Unit}
	s.AttributeFilter = attribute.NewAllowKeysFilter("http.request.method", "http.response.status_code", "http.route")
	if i.Name != "http.server.request.duration" {
		s.Aggregation = sdkmetric.AggregationDrop{}
	}
	return s, true
}

// Around measures every request, and traces it as part of the caller's trace
// where the caller names one (W3C Trace Context). The route is the request's
// Pattern once it is answered, never its path, which has names in it.
func (t *Telemetry) Around(h http.Handler) http.Handler {
	return otelhttp.NewHandler(h, "request",
		otelhttp.WithMeterProvider(t.meters), otelhttp.WithTracerProvider(t.tracers), otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return cmp.Or(r.Pattern, r.Method) }),
		otelhttp.WithFilter(func(r *http.Request) bool { return r.URL.Path != "/livez" && r.URL.Path != "/metrics" }))
}

// Close sends the traces that are held.
func (t *Telemetry) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := errors.Join(t.flush(ctx), t.meters.Shutdown(ctx)); err != nil {
		t.log.Warn("traces or metrics were not sent to the end", "error", err)
	}
	return nil
}
