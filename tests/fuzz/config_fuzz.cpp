// SPDX-License-Identifier: Apache-2.0
// Hostile configurations and secret files: one is loaded and can sign, or each mistake is told in one printable line
// that does not hold the secret. What follows the first NUL is the content of the secret's file, whose name is 901.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/config/load.hpp>
#include <usher/core/printable.hpp>
#include <usher/provider/kinds.hpp>

namespace {

constexpr int config_file = 900;
constexpr int secret_file = 901;

void put(int file, std::string_view text)
{
    static const bool made = [] {
        for (const int number : {config_file, secret_file}) {
            const int memory = ::memfd_create("fuzz", MFD_CLOEXEC);
            if (memory < 0 || ::fchmod(memory, 0600) != 0 || ::dup2(memory, number) != number)
                std::abort();
            ::close(memory);
        }
        return true;
    }();
    if (!made || ::ftruncate(file, 0) != 0 ||
        ::pwrite(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        std::abort();
}

bool is_in(std::string_view part, std::string_view whole)
{
    return whole.find(part) != std::string_view::npos;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    using namespace usher;
    const std::string_view text{reinterpret_cast<char const*>(data), size};
    const std::string_view yaml = text.substr(0, text.find('\0'));
    const std::string_view secret = text.substr(std::min(size, yaml.size() + 1));
    put(config_file, yaml);
    put(secret_file, secret);

    const auto config = load_config("/proc/self/fd/900", declarations_of());

    if (config) {
        for (ProjectConfig const& project : config->projects)
            if (!project.signer())
                std::abort();
        return 0;
    }
    for (ConfigError const& error : config.error()) {
        const std::string said = error.text();
        if (printable(said, said.size()) != said)
            std::abort();
        if (secret.size() >= 16 && !is_in(secret, yaml) && is_in(secret, said))
            std::abort();
    }
    return 0;
}
