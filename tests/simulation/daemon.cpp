// SPDX-License-Identifier: Apache-2.0
#include "simulation/daemon.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <boost/asio/post.hpp>

#include <usher/provider/sandbox.hpp>
#include <usher/provider/vendor.hpp>

namespace usher::simulation {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// As in MainLoop.
constexpr auto call_grace = 5s;
constexpr auto step_time = 20us;
constexpr int turns_to_end = 100'000; // of a dead daemon's tasks

} // namespace

char const* ProjectSetting::provider() const
{
    switch (kind) {
    case Kind::opentok: return "opentok";
    case Kind::sandbox: return "sandbox";
    case Kind::vonage: return "vonage";
    }
    return "";
}

TokenSigner ProjectSetting::signer() const
{
    if (kind == Kind::vonage)
        return *TokenSigner::for_application(key, *RsaSigner::from_pem(Secret{secret}));
    return *TokenSigner::for_api_key(TokenFormat::jwt, key, Secret{secret});
}

Daemon::Daemon(Surroundings surroundings, ProcessId process, Setting setting, std::string const& name)
    : surroundings_{std::move(surroundings)},
      process_{process},
      setting_{std::move(setting)},
      clock_{surroundings_.clock},
      wakeup_{clock_, context_.get_executor()}
{
    const As as{surroundings_.vfs, process_};
    auto file = std::make_unique<test::UnwatchedFile>(surroundings_.database);
    file_ = file.get();
    store_ =
        std::make_unique<SqliteStore>(std::move(file), name, clock_, context_.get_executor(), context_.get_executor());
    store_->open();
    maker_ = std::make_unique<SessionMaker>(context_.get_executor(), *store_, clock_, surroundings_.random, [this] {
        wakeup_.notify();
    });
    tasks_ = std::make_unique<TaskGroup>(context_.get_executor(), [this](std::string const&, std::exception_ptr error) {
        if (!failure_)
            failure_ = std::move(error);
        stop_everything();
    });
    const Tenure tenure = store_->take_over();
    provisioner_ = std::make_unique<Provisioner>(
        *store_, clock_, surroundings_.random, *maker_, context_.get_executor(), Workers{context_.get_executor()},
        projects_of(setting_), settings_of(setting_, tenure.clock)
    );
    engine_.emplace(Engine::Mode::serve, clock_.steady_now(), tenure.last_look > clock_.now(), setting_.slow_poll);
    tasks_->spawn("provisioning", provision());
    tasks_->spawn("sessions", maker_->run());
    store_->notice_changes();
    tasks_->spawn("changes", store_->follow_changes(setting_.slow_poll, [this] { wakeup_.notify(); }));
}

Daemon::~Daemon()
{
    if (!over_)
        surroundings_.vfs.kill(process_);
    const As as{surroundings_.vfs, process_};
    // From within the context: cancelled from outside of it, a task may be gone before the news arrive.
    if (tasks_->running() > 0)
        asio::post(context_, [this] { stop_everything(); });
    // Its coroutines are unwound; nothing of what they do has an effect any more.
    for (int turns = 0; turns < turns_to_end; ++turns) {
        context_.restart();
        if (context_.poll_one() == 0)
            break;
    }
}

std::vector<Project> Daemon::projects_of(Setting const& setting) const
{
    std::vector<Project> projects;
    for (ProjectSetting const& one : setting.projects) {
        TokenSigner signer = one.signer();
        std::shared_ptr<Provider> provider;
        if (one.kind == ProjectSetting::Kind::sandbox)
            provider = std::make_shared<SandboxProvider>(one.key);
        else
            provider = std::make_shared<VendorProvider>(
                one.kind == ProjectSetting::Kind::vonage ? VendorHost::vonage : VendorHost::opentok, "vendor.example",
                signer, setting.policy.clock_skew, surroundings_.network.transport(), [this] { return clock_.now(); }
            );
        Project project{{}, std::move(signer), std::move(provider), setting.pace};
        project.facts.name = one.name;
        project.facts.provider = one.provider();
        project.facts.project_key = project.signer.project_key();
        project.facts.key_id = project.signer.key_id();
        project.facts.format = TokenFormat::jwt;
        project.facts.policy = setting.policy;
        projects.push_back(std::move(project));
    }
    return projects;
}

ProvisioningSettings Daemon::settings_of(Setting const& setting, std::optional<ClockRecord> const& clock)
{
    ProvisioningSettings settings;
    settings.base = setting.policy;
    settings.clock = clock;
    return settings;
}

bool Daemon::step()
{
    if (over_)
        return false;
    const As as{surroundings_.vfs, process_};
    context_.restart();
    const bool worked = context_.poll_one() > 0;
    if (worked)
        clock_.charge(step_time);
    over_ = is_dead() || tasks_->running() == 0;
    return worked;
}

void Daemon::notice()
{
    file_->tell();
}

void Daemon::clock_was_set()
{
    engine_->clock_was_set();
    wakeup_.notify();
}

void Daemon::reload(Setting setting)
{
    new_setting_ = std::move(setting);
    engine_->request_reload();
    provisioner_->request_pause();
    wakeup_.notify();
}

void Daemon::reload_in_vain()
{
    engine_->request_reload();
    provisioner_->request_pause();
    wakeup_.notify();
}

void Daemon::stop()
{
    stopping_ = true;
    engine_->request_stop();
    provisioner_->request_stop();
    wakeup_.notify();
}

void Daemon::stop_everything()
{
    stopping_ = true;
    if (engine_)
        engine_->request_stop();
    if (provisioner_)
        provisioner_->request_stop();
    maker_->request_stop();
    wakeup_.notify();
    tasks_->request_stop();
}

boost::asio::awaitable<void> Daemon::provision()
{
    using Step = Engine::Step;
    bool was_busy = false;
    const auto is_busy = [&](bool broken) {
        engine_->busy(broken, clock_.steady_now());
        was_busy = true;
    };
    for (;;) {
        Engine::Facts facts;
        try {
            facts = this->facts();
        } catch (DatabaseBusy const&) {
            is_busy(false);
            facts.now = clock_.steady_now();
        }
        const Engine::Next next = engine_->next(facts);
        if (next.step == Step::stop)
            break;
        if (next.step == Step::wait) {
            ++rounds_;
            const bool is_due = facts.due_in && *facts.due_in <= Duration::zero();
            if (!std::exchange(was_busy, false) && !sweeping_ && !is_due && next.wait > Duration::zero())
                ++times_done_;
            co_await wakeup_.wait(next.wait);
            continue;
        }
        try {
            const Instant started = clock_.steady_now();
            Engine::Outcome outcome = co_await perform(next.step);
            outcome.took = clock_.steady_now() - started;
            engine_->done(next.step, outcome);
        } catch (SchemaBroken const&) {
            is_busy(true);
        } catch (DatabaseBusy const&) { // nothing is lost: what is due stays so in the rows
            is_busy(false);
        }
    }
    co_await maker_->drain(call_grace);
    tasks_->request_stop();
    store_->finish([](Duration) {});
}

Engine::Facts Daemon::facts() const
{
    Engine::Facts facts;
    facts.now = clock_.steady_now();
    facts.schema = store_->schema_version();
    facts.inspect_again_at = provisioner_->inspect_again_at();
    facts.calls_under_way = maker_->busy();
    facts.rest = provisioner_->rest();
    facts.tend_in = store_->keep_house_in();
    try {
        if (const auto due = store_->next_due())
            facts.due_in = *due - clock_.now();
    } catch (SchemaBroken const&) { // an index is gone: looking through the schema puts it back
        facts.due_in = Duration::zero();
    }
    facts.sweep_wished = provisioner_->take_sweep_wish();
    return facts;
}

boost::asio::awaitable<Engine::Outcome> Daemon::perform(Engine::Step step)
{
    using Step = Engine::Step;
    Engine::Outcome outcome;
    switch (step) {
    case Step::look_through: co_await provisioner_->find_stale(); break;
    case Step::settle: {
        const PassResult result = co_await provisioner_->settle();
        outcome.looked_at = result.looked_at;
        tokens_published_ += static_cast<std::int64_t>(result.published.tokens);
        break;
    }
    case Step::reload: outcome.taken = reload_configuration(); break;
    case Step::keep_house:
        co_await provisioner_->keep_doors();
        co_await store_->keep_house();
        co_await beat();
        break;
    case Step::begin_sweep:
        provisioner_->start_sweep();
        sweeping_ = true;
        break;
    case Step::sweep: outcome.more = sweeping_ = co_await provisioner_->sweep(); break;
    case Step::announce:
    case Step::wait:
    case Step::give_up:
    case Step::stop: break;
    }
    store_->caught_up();
    co_return outcome;
}

bool Daemon::reload_configuration()
{
    std::optional<Setting> setting = std::exchange(new_setting_, std::nullopt);
    if (!setting)
        return false;
    setting_ = std::move(*setting);
    provisioner_->configure(projects_of(setting_), settings_of(setting_, {}));
    return true;
}

boost::asio::awaitable<void> Daemon::beat()
{
    const Instant steady = clock_.steady_now();
    if (beaten_ && steady - *beaten_ < setting_.heartbeat && !store_->holds_older_rows())
        co_return;
    try {
        co_await provisioner_->beat();
        beaten_ = steady;
    } catch (DatabaseBusy const&) {
        // whoever holds the lock lets go; the next round tries again
    }
}

} // namespace usher::simulation
