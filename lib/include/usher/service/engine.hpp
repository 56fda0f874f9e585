// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace usher {

/// Decides what usherd does next, one step at a time; see Step. A round begins with what is due and ends with a wait.
/// Pure: what happens and what a step came to is reported to it; instants are of the steady clock.
class Engine {
public:
    using Instant = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    enum class Mode : std::uint8_t {
        serve, ///< Until a stop is requested.
        once,  ///< Until nothing is due.
    };

    enum class Step : std::uint8_t {
        look_through, ///< The schema is put back, and what another configuration or clock has planned becomes due.
        settle,       ///< What is due is published.
        reload,       ///< Another configuration is taken.
        keep_house,   ///< Doors, heartbeat, and the store's own upkeep.
        announce,     ///< For the first time nothing is due.
        begin_sweep,  ///< All that is stored will be compared, from the beginning.
        sweep,        ///< A part of it is.
        wait,         ///< For so long, or until something happens.
        give_up,      ///< The schema stayed incomplete for too long.
        stop,
    };
    struct Next {
        Step step = Step::stop;
        Duration wait{};

        friend bool operator==(Next const&, Next const&) = default;
    };

    /// The last resort, should every notice be lost.
    static constexpr Duration wait_max = std::chrono::seconds{30};

    /// `hurried`: the first sweep takes no rests, because the clock was put back while no daemon ran. No wait is longer
    /// than `at_most`.
    Engine(Mode mode, Instant now, bool hurried, Duration at_most = wait_max);

    // What happens, at any time:
    void request_stop() { stopping_ = true; }
    void request_reload() { reload_wanted_ = true; }
    void clock_was_set();

    /// How things stand when the next step is asked for.
    struct Facts {
        Instant now{};
        std::int64_t schema = 0;                   ///< Changes when anybody changes the schema.
        std::optional<Instant> inspect_again_at{}; ///< From then on more of the schema may be put back.
        std::optional<Duration> due_in{};          ///< The earliest work that the rows know of.
        Duration rest{};                           ///< For so long rows stay due that nothing is to be done for.
        std::optional<Duration> tend_in{};         ///< The store wants to be looked after.
        bool sweep_wished = false;                 ///< Something was found that only a sweep can mend.
        bool calls_under_way = false;              ///< Sessions are being made, or could be.
    };
    Next next(Facts const& facts);

    /// What the last step came to; `wait` and what ended by busy() have nothing to report.
    struct StepOutcome {
        std::size_t looked_at = 0; ///< Meetings, by `settle`.
        bool more = false;         ///< By `sweep`: it is not at its end.
        bool taken = false;        ///< By `reload`: the configuration is another one.
        Duration took{};
    };
    void done(Step step, StepOutcome const& outcome);

    /// The step could not be done: others hold the database, or its schema is incomplete (`broken`). It is tried again
    /// from the beginning of a round; nothing is lost by it.
    void busy(bool broken, Instant now);

    bool sweeping() const { return sweeping_; }

private:
    enum class Stage : std::uint8_t { begin, settle, settled, house, announced, swept };

    Next again(Duration after = {});
    Next begin(Facts const& facts);
    Next rest(Facts const& facts);
    Next rest_once(Facts const& facts);

    Mode mode_;
    Duration wait_max_;
    Stage stage_ = Stage::begin; ///< How far the round is.
    bool stopping_ = false;
    bool reload_wanted_ = false;
    bool clock_was_set_ = false;
    bool busy_ = false;
    bool gives_up_ = false;
    std::optional<Instant> broken_until_{}; ///< Then an incomplete schema is waited for no longer.
    std::optional<std::int64_t> schema_{};  ///< That was looked through.
    std::int64_t schema_at_hand_ = 0;       ///< That is being looked through.
    std::size_t looked_at_ = 0;             ///< By the last settle.
    bool ready_ = false;
    bool sweep_wanted_ = false;
    bool sweeping_ = false;
    bool hurried_ = false;
    Duration sweep_rest_{};
    Instant swept_at_{};
    bool may_sweep_again_ = true; ///< In `once`: a row that cannot be read may come back without end.
    bool was_alone_ = false;      ///< In `once`: when the last settle began, nothing else was under way.
};

/// `settle`, as the log and `/healthz` have it.
std::string_view to_text(Engine::Step step);

} // namespace usher
