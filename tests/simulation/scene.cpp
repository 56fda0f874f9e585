// SPDX-License-Identifier: Apache-2.0
#include "simulation/scene.hpp"

#include <algorithm>
#include <fstream>
#include <optional>

#include <usher/store/database.hpp>

namespace usher::simulation {

Scene::Scene(std::uint64_t seed, bool is_told)
    : dice{seed},
      story{clock, is_told},
      vfs{clock, dice.next()},
      network{clock, story, dice.next()},
      random{dice.next()}
{}

void Scene::make_database(std::string const& path, std::string const& key, std::string const& mark)
{
    std::ofstream{path + ".key"} << key << "\n";
    std::ofstream{path + ".mark"} << mark << " 0\n";
    create_database(path, FileAccess::group);
}

std::unique_ptr<Daemon>
Scene::make_daemon(ProcessId process, Setting const& setting, std::string const& name, std::string const& path)
{
    return std::make_unique<Daemon>(Surroundings{clock, vfs, network, random, path}, process, setting, name);
}

void Scene::run_until(Instant end, std::function<bool()> const& goes_on, std::function<bool()> const& step)
{
    while (clock.steady_now() < end && goes_on()) {
        if (events.happen() || step() || clock.fire())
            continue;
        std::optional<Instant> next = clock.next();
        if (const auto event = events.next())
            next = std::min(next.value_or(*event), *event);
        clock.jump(std::min(next.value_or(end), end));
    }
}

} // namespace usher::simulation
