// SPDX-License-Identifier: Apache-2.0
#include "simulation/daemon.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include <boost/asio/post.hpp>

#include <usher/provider/sandbox.hpp>
#include <usher/provider/vendor.hpp>

namespace usher::simulation {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

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
    if (kind == Kind::vonage) {
        // To read the key takes as long as a few signatures, and every daemon and the oracle ask for it.
        static std::map<std::pair<std::string, std::string>, TokenSigner> known;
        auto found = known.find({key, secret});
        if (found == known.end())
            found =
                known
                    .emplace(
                        std::pair{key, secret}, *TokenSigner::for_application(key, *RsaSigner::from_pem(Secret{secret}))
                    )
                    .first;
        return found->second;
    }
    return *TokenSigner::for_api_key(TokenFormat::jwt, key, Secret{secret});
}

Daemon::Daemon(Surroundings surroundings, ProcessId process, Setting setting, std::string const& name)
    : surroundings_{std::move(surroundings)},
      process_{process},
      setting_{std::move(setting)},
      clock_{surroundings_.clock}
{
    surroundings_.vfs.charge(process_);
    const As as{surroundings_.vfs, process_};
    auto file = std::make_unique<test::UnwatchedFile>(surroundings_.database);
    file_ = file.get();
    store_ =
        std::make_unique<SqliteStore>(std::move(file), name, clock_, context_.get_executor(), context_.get_executor());
    store_->open();
    maker_ = std::make_unique<SessionMaker>(context_.get_executor(), *store_, clock_, surroundings_.random, [this] {
        loop_->wake();
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
    loop_.emplace(
        MainLoop::Parts{*store_, *provisioner_, *maker_, clock_, hindrance_}, context_.get_executor(),
        Engine::Mode::serve, tenure.last_look > clock_.now(),
        MainLoop::Doors{[this] { return reload_configuration(); }, [] {}, [](std::string const&) {}},
        MainLoop::Rhythm{setting_.slow_poll, setting_.heartbeat}
    );
    tasks_->spawn("provisioning", provision());
    tasks_->spawn("sessions", maker_->run());
    store_->notice_changes();
    tasks_->spawn("changes", loop_->look_for_changes());
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
    loop_->clock_was_set();
}

void Daemon::reload(Setting setting)
{
    new_setting_ = std::move(setting);
    loop_->request_reload();
}

void Daemon::reload_in_vain()
{
    loop_->request_reload();
}

void Daemon::stop()
{
    loop_->request_stop();
}

void Daemon::stop_everything()
{
    loop_->request_stop();
    maker_->request_stop();
    tasks_->request_stop();
}

boost::asio::awaitable<void> Daemon::provision()
{
    co_await loop_->run();
    tasks_->request_stop();
    store_->finish([](Duration) {});
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

} // namespace usher::simulation
