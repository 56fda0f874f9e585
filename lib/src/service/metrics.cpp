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
constexpr std::array<char const*, 7> outcomes{"ok",    "permanent", "transient", "ambiguous", "authentication",
                                              "quota", "unsent"};
constexpr std::array<char const*, 3> origins{"made", "local", "adopted"};
constexpr std::array<char const*, 5> discards{"edited", "refused", "fenced", "stopped", "failed"};
constexpr std::array<char const*, 2> useless_sessions{"taken", "unwanted"};

Histogram::BucketBoundaries reaction_buckets()
{
    return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

Histogram::BucketBoundaries call_buckets()
{
    return {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60, 300};
}

Histogram::BucketBoundaries write_buckets()
{
    return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1, 10};
}

std::string token_reason(std::size_t index)
{
    return std::string{to_text(static_cast<TokenReason>(first_token_reason + index))};
}

std::string withdraw_reason(std::size_t index)
{
    return std::string{to_text(static_cast<WithdrawReason>(first_withdraw_reason + index))};
}

Labels with(Labels labels, std::string const& name, std::string value)
{
    labels.emplace(name, std::move(value));
    return labels;
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
        counter("usher_tokens_published_total", "Tokens that were stored for their meeting's session, by why.");
    Family<Counter>& tokens_discarded =
        counter("usher_tokens_discarded_total", "Signed tokens that were not stored, by why.");
    Family<Counter>& tokens_withdrawn =
        counter("usher_tokens_withdrawn_total", "Stored tokens that were deleted without another in their place.");
    Family<Gauge>& tokens_in_hand =
        gauge("usher_tokens_in_hand", "Tokens that are signed, and neither published nor discarded yet.");
    Family<Counter>& sessions_published = counter(
        "usher_sessions_published_total", "Sessions that became the published one of their meeting, by who made them."
    );
    Family<Counter>& sessions_discarded = counter(
        "usher_sessions_discarded_total", "Answers of the vendor with a session that was of no use by then, by why."
    );
    Family<Counter>& paced =
        counter("usher_vendor_paced_seconds_total", "How long calls waited for their turn, which the rate gives.");
    Family<Gauge>& answered =
        gauge("usher_vendor_last_answer_timestamp_seconds", "When the vendor last answered, be it with a refusal.");
    Family<Counter>& opened =
        counter("usher_meetings_opened_total", "Meetings that opened, by how they stood at that instant.");
    Family<Counter>& calls_started = counter("usher_vendor_calls_started_total", "Calls to the vendor that began.");
    Family<Counter>& calls = counter("usher_vendor_calls_total", "Calls to the vendor that ended, by how.");
    Family<Gauge>& calls_in_flight =
        gauge("usher_vendor_calls_in_flight", "Calls to the vendor that have begun and not ended.");
    Family<Histogram>& call_seconds = prometheus::BuildHistogram()
                                          .Name("usher_vendor_call_seconds")
                                          .Help("How long calls to the vendor took.")
                                          .Register(registry);
    Family<Counter>& reloads = counter("usher_config_reloads_total", "Reloads of the configuration, by their result.");
    Family<Counter>& clock_steps = counter("usher_clock_steps_total", "Times that somebody set this machine's clock.");
    Family<Counter>& http_requests = counter("usher_http_requests_total", "Requests to this listener.");
    Counter& sample_errors =
        counter("usher_sample_errors_total", "Samples of the database that could not be taken.").Add({});
    Counter& foreign_rows =
        counter("usher_rows_foreign_total", "Times that a session row was met which usher did not write.").Add({});
    Counter& repairs =
        counter("usher_store_repairs_total", "Parts of the contract that usherd put back into the database.").Add({});
    Family<Histogram>& reaction = histogram(
        "usher_reaction_seconds", "From the notice of a change in the database to the publication of what follows."
    );
    Histogram& write_hold =
        histogram("usher_store_write_hold_seconds", "How long a transaction of usherd kept others from writing.")
            .Add({}, write_buckets());
    Histogram& write_wait =
        histogram("usher_store_write_wait_seconds", "How long a transaction of usherd waited for others who wrote.")
            .Add({}, write_buckets());

    Impl()
    {
        for (char const* const result : {"taken", "refused"})
            reloads.Add({{"result", result}});
        for (char const* const direction : {"back", "forward"})
            clock_steps.Add({{"direction", direction}});
        for (std::size_t i = 0; i < opened_count; ++i)
            opened.Add({{"result", std::string{to_text(static_cast<Opened>(i))}}});
        for (char const* const urgent : {"yes", "no"})
            reaction.Add({{"urgent", urgent}}, reaction_buckets());
    }

    Family<Counter>& counter(char const* name, char const* help)
    {
        return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
    }
    Family<Gauge>& gauge(char const* name, char const* help)
    {
        return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
    }
    Family<Histogram>& histogram(char const* name, char const* help)
    {
        return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
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
        tokens_signed.Add(labels);
        tokens_in_hand.Add(labels);
        paced.Add(labels);
        for (std::size_t i = 0; i < token_reasons; ++i)
            tokens_published.Add(with(labels, "reason", token_reason(i)));
        for (std::size_t i = 0; i < withdraw_reasons; ++i)
            tokens_withdrawn.Add(with(labels, "why", withdraw_reason(i)));
        for (char const* const why : discards)
            tokens_discarded.Add(with(labels, "why", why));
        for (char const* const origin : origins)
            sessions_published.Add(with(labels, "origin", origin));
        for (char const* const why : useless_sessions)
            sessions_discarded.Add(with(labels, "why", why));
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

void Metrics::tokens_signed(std::string_view project, std::size_t tokens)
{
    const Labels labels = impl_->of(project);
    impl_->tokens_signed.Add(labels).Increment(static_cast<double>(tokens));
    impl_->tokens_in_hand.Add(labels).Increment(static_cast<double>(tokens));
}

void Metrics::batch_published(std::string_view project, BatchTokens const& batch)
{
    const Labels labels = impl_->of(project);
    const auto add = [](Counter& counter, std::size_t count) {
        if (count > 0)
            counter.Increment(static_cast<double>(count));
    };
    PublishCounts const& published = batch.published;
    for (std::size_t i = 0; i < token_reasons; ++i)
        add(impl_->tokens_published.Add(with(labels, "reason", token_reason(i))), published.reasons[i]);
    for (std::size_t i = 0; i < withdraw_reasons; ++i)
        add(impl_->tokens_withdrawn.Add(with(labels, "why", withdraw_reason(i))), published.withdraw_whys[i]);
    for (std::size_t i = 0; i < origins.size(); ++i)
        add(impl_->sessions_published.Add(with(labels, "origin", origins[i])), batch.sessions[i]);
    impl_->tokens_in_hand.Add(labels).Decrement(static_cast<double>(published.tokens));
}

void Metrics::tokens_discarded(std::string_view project, DiscardReason why, std::size_t tokens)
{
    if (tokens == 0)
        return;
    const Labels labels = impl_->of(project);
    impl_->tokens_discarded.Add(with(labels, "why", discards.at(static_cast<std::size_t>(why))))
        .Increment(static_cast<double>(tokens));
    impl_->tokens_in_hand.Add(labels).Decrement(static_cast<double>(tokens));
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

void Metrics::call_unsent(std::string_view project)
{
    const Labels labels = impl_->of(project, VendorCall::create);
    impl_->calls_started.Add(labels).Increment();
    impl_->calls.Add(with(labels, "outcome", "unsent")).Increment();
}

void Metrics::vendor_answered(std::string_view project, sys_seconds at)
{
    impl_->answered.Add(impl_->of(project)).Set(static_cast<double>(unix_seconds(at)));
}

void Metrics::call_paced(std::string_view project, std::chrono::duration<double> waited)
{
    if (waited.count() > 0)
        impl_->paced.Add(impl_->of(project)).Increment(waited.count());
}

void Metrics::session_discarded(std::string_view project, std::string_view why)
{
    impl_->sessions_discarded.Add(with(impl_->of(project), "why", std::string{why})).Increment();
}

void Metrics::foreign_row_met()
{
    impl_->foreign_rows.Increment();
}

void Metrics::meetings_opened(OpenedCounts const& counts)
{
    for (std::size_t i = 0; i < counts.size(); ++i)
        if (counts[i] > 0)
            impl_->opened.Add({{"result", std::string{to_text(static_cast<Opened>(i))}}}
            ).Increment(static_cast<double>(counts[i]));
}

void Metrics::reacted(std::chrono::duration<double> took, bool urgent)
{
    impl_->reaction.Add({{"urgent", urgent ? "yes" : "no"}}, reaction_buckets()).Observe(took.count());
}

void Metrics::wrote(std::chrono::duration<double> waited, std::optional<std::chrono::duration<double>> held)
{
    impl_->write_wait.Observe(waited.count());
    if (held)
        impl_->write_hold.Observe(held->count());
}

void Metrics::repaired(std::size_t parts)
{
    impl_->repairs.Increment(static_cast<double>(parts));
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
