// SPDX-License-Identifier: Apache-2.0
#include "log.hpp"

#include <utility>

#include "journal.hpp"
#include "log_format.hpp"

namespace usher {

namespace {

/// By which floods are told apart.
std::string project_of(LogFields const& fields)
{
    for (LogField const& field : fields)
        if (field.name.text() == "project")
            return field.value.text();
    return {};
}

} // namespace

Log::Log(Doors doors) : doors_{std::move(doors)}, render_{text_line} {}

void Log::set_format(LogFormat format)
{
    const std::lock_guard lock{mutex_};
    const bool wants_journal = format == LogFormat::journal || (format == LogFormat::automatic && doors_.is_journal);
    if (wants_journal && !journal_)
        journal_ = std::make_unique<LineWriter>(DatagramSocket{doors_.journal_socket});
    to_journal_ = wants_journal && journal_->is_connected();
    with_priority_ = !to_journal_ && (wants_journal || doors_.is_journal);
    if (wants_journal)
        render_ = to_journal_ ? journal_entry : journal_line;
    else
        render_ = format == LogFormat::json ? json_line : text_line;
}

bool Log::is_for_people() const
{
    const std::lock_guard lock{mutex_};
    return render_ == text_line || render_ == journal_line;
}

void Log::take(LogEvent const& event, LogFields const& fields)
{
    const std::lock_guard lock{mutex_};
    tell_dropped();
    tell_left_out(false);
    if (flood_.passes(event, project_of(fields), doors_.steady_now()))
        writer().offer(render(event, fields), event.severity);
    else
        ++suppressed_[static_cast<std::size_t>(event.severity)];
}

void Log::flush()
{
    const std::lock_guard lock{mutex_};
    tell_left_out(false);
    tell_dropped();
}

std::optional<std::chrono::milliseconds> Log::push()
{
    const std::lock_guard lock{mutex_};
    auto again = doors_.standard_error.push();
    if (journal_)
        if (const auto journal_again = journal_->push(); journal_again && (!again || *journal_again < *again))
            again = journal_again;
    return again;
}

void Log::finish(std::optional<std::chrono::milliseconds> at_most)
{
    const auto finish_both = [&] {
        const bool is_read = doors_.standard_error.finish(at_most);
        return (!journal_ || journal_->finish(at_most)) && is_read;
    };
    const bool is_read = finish_both();
    {
        const std::lock_guard lock{mutex_};
        tell_left_out(true);
        tell_dropped();
    }
    if (is_read)
        finish_both();
}

LogCounts Log::counts() const
{
    const std::lock_guard lock{mutex_};
    LineFates fates = doors_.standard_error.fates();
    const LineFates others = journal_ ? journal_->fates() : LineFates{};
    LogCounts counts;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        LogCount& count = counts[i];
        count.written = fates.written[i] + others.written[i];
        count.dropped = fates.dropped[i] + others.dropped[i];
        count.suppressed = suppressed_[i];
        count.events = count.written + count.suppressed + count.dropped;
    }
    return counts;
}

LineWriter& Log::writer()
{
    return to_journal_ ? *journal_ : doors_.standard_error;
}

void Log::tell_dropped()
{
    writer().tell_dropped([this](std::size_t count) {
        return render(event_of("log.dropped"_event), {{"count", count}});
    });
}

void Log::tell_left_out(bool all)
{
    for (Flood::LeftOut const& one : flood_.over(doors_.steady_now(), all)) {
        LogFields fields;
        if (!one.project.empty())
            fields.push_back({"project", one.project});
        writer().offer(render(*one.event, fields, one.count));
    }
}

std::string Log::render(LogEvent const& event, LogFields const& fields, std::uint64_t suppressed) const
{
    std::string line = render_({event, fields, std::chrono::system_clock::now(), suppressed});
    return with_priority_ ? priority_prefix(event.severity) + line : line;
}

} // namespace usher
