// SPDX-License-Identifier: Apache-2.0
#include <usher/service/metrics.hpp>

#include <array>
#include <set>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace usher {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

constexpr char const* unknown_project = "(unknown)";
constexpr std::array<char const*, 6> outcomes{"ok", "permanent", "transient", "ambiguous", "authentication", "quota"};

Histogram::BucketBoundaries reaction_buckets()
{
    return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

Histogram::BucketBoundaries call_buckets()
{
    return {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60, 300};
}

std::string text_of(VendorCall call)
{
    return call == VendorCall::create ? "create" : "disconnect";
}

} // namespace

struct Metrics::Impl {
    prometheus::Registry registry;
    std::set<std::string, std::less<>> projects;

    Family<Counter>& tokens_signed =
        counter("usher_tokens_signed_total", "Tokens that were signed, whether they were published or not.");
    Family<Counter>& tokens_published =
        counter("usher_tokens_published_total", "Tokens that were stored for their meeting's session.");
    Family<Counter>& tokens_discarded = counter(
        "usher_tokens_discarded_total",
        "Signed tokens that were not stored, since the platform edited the rows meanwhile."
    );
    Family<Counter>& tokens_withdrawn =
        counter("usher_tokens_withdrawn_total", "Stored tokens that were deleted without another in their place.");
    Family<Counter>& sessions_published =
        counter("usher_sessions_published_total", "Sessions that became the published one of their meeting.");
    Family<Counter>& calls_started = counter("usher_vendor_calls_started_total", "Calls to the vendor that began.");
    Family<Counter>& calls = counter("usher_vendor_calls_total", "Calls to the vendor that ended, by how.");
    Family<Gauge>& calls_in_flight = prometheus::BuildGauge()
                                         .Name("usher_vendor_calls_in_flight")
                                         .Help("Calls to the vendor that have begun and not ended.")
                                         .Register(registry);
    Family<Histogram>& call_seconds = prometheus::BuildHistogram()
                                          .Name("usher_vendor_call_seconds")
                                          .Help("How long calls to the vendor took.")
                                          .Register(registry);
    Family<Counter>& reloads = counter("usher_config_reloads_total", "Reloads of the configuration, by their result.");
    Family<Counter>& clock_steps = counter("usher_clock_steps_total", "Times that somebody set this machine's clock.");
    Family<Counter>& http_requests = counter("usher_http_requests_total", "Requests to this listener.");
    Counter& sample_errors =
        counter("usher_sample_errors_total", "Samples of the database that could not be taken.").Add({});
    Histogram& reaction = prometheus::BuildHistogram()
                              .Name("usher_reaction_seconds")
                              .Help("From the notice of a change in the database to the publication of what follows.")
                              .Register(registry)
                              .Add({}, reaction_buckets());

    Impl()
    {
        for (char const* const result : {"taken", "refused"})
            reloads.Add({{"result", result}});
        for (char const* const direction : {"back", "forward"})
            clock_steps.Add({{"direction", direction}});
    }

    Family<Counter>& counter(char const* name, char const* help)
    {
        return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
    }

    Labels of(std::string_view project) const
    {
        return {{"project", projects.contains(project) ? std::string{project} : unknown_project}};
    }
    Labels of(std::string_view project, VendorCall call) const
    {
        Labels labels = of(project);
        labels.emplace("call", text_of(call));
        return labels;
    }

    void add_project(Labels const& labels)
    {
        for (Family<Counter>* const family :
             {&tokens_signed, &tokens_published, &tokens_discarded, &tokens_withdrawn, &sessions_published})
            family->Add(labels);
        for (const VendorCall call : {VendorCall::create, VendorCall::disconnect}) {
            Labels with_call = labels;
            with_call.emplace("call", text_of(call));
            calls_started.Add(with_call);
            calls_in_flight.Add(with_call);
            call_seconds.Add(with_call, call_buckets());
            for (char const* const outcome : outcomes) {
                Labels with_outcome = with_call;
                with_outcome.emplace("outcome", outcome);
                calls.Add(with_outcome);
            }
        }
    }
};

Metrics::Metrics() : impl_{std::make_unique<Impl>()}
{
    impl_->add_project({{"project", unknown_project}});
}

Metrics::~Metrics() = default;

void Metrics::know_projects(std::vector<std::string> const& names)
{
    for (std::string const& name : names)
        if (impl_->projects.insert(name).second)
            impl_->add_project({{"project", name}});
}

void Metrics::batch_done(std::string_view project, BatchTokens const& tokens)
{
    const Labels labels = impl_->of(project);
    impl_->tokens_signed.Add(labels).Increment(static_cast<double>(tokens.signed_ones));
    impl_->tokens_published.Add(labels).Increment(static_cast<double>(tokens.published));
    impl_->tokens_discarded.Add(labels).Increment(static_cast<double>(tokens.signed_ones - tokens.published));
    impl_->tokens_withdrawn.Add(labels).Increment(static_cast<double>(tokens.withdrawn));
    impl_->sessions_published.Add(labels).Increment(static_cast<double>(tokens.sessions_published));
}

void Metrics::call_started(std::string_view project, VendorCall call)
{
    const Labels labels = impl_->of(project, call);
    impl_->calls_started.Add(labels).Increment();
    impl_->calls_in_flight.Add(labels).Increment();
}

void Metrics::call_ended(
    std::string_view project, VendorCall call, std::string_view outcome, std::chrono::duration<double> took
)
{
    Labels labels = impl_->of(project, call);
    impl_->calls_in_flight.Add(labels).Decrement();
    impl_->call_seconds.Add(labels, call_buckets()).Observe(took.count());
    labels.emplace("outcome", outcome);
    impl_->calls.Add(labels).Increment();
}

void Metrics::reacted(std::chrono::duration<double> took)
{
    impl_->reaction.Observe(took.count());
}

void Metrics::configuration_reloaded(bool taken)
{
    impl_->reloads.Add({{"result", taken ? "taken" : "refused"}}).Increment();
}

void Metrics::clock_stepped(bool back)
{
    impl_->clock_steps.Add({{"direction", back ? "back" : "forward"}}).Increment();
}

void Metrics::sample_failed()
{
    impl_->sample_errors.Increment();
}

void Metrics::http_answered(std::string_view path, int status)
{
    impl_->http_requests.Add({{"path", std::string{path}}, {"code", std::to_string(status)}}).Increment();
}

std::vector<prometheus::MetricFamily> Metrics::collect() const
{
    return impl_->registry.Collect();
}

} // namespace usher
