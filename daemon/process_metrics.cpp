// SPDX-License-Identifier: Apache-2.0
#include "process_metrics.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

namespace usher {

namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double microsecond = 1e-6;

MetricFamily metric(std::string name, std::string help, MetricType type, double value)
{
    MetricFamily family;
    family.name = std::move(name);
    family.help = std::move(help);
    family.type = type;
    prometheus::ClientMetric only;
    (type == MetricType::Counter ? only.counter.value : only.gauge.value) = value;
    family.metric.push_back(std::move(only));
    return family;
}

double seconds_of(timeval const& time)
{
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * microsecond;
}

/// In seconds since 1970.
std::optional<double> start_time()
{
    std::ifstream own{"/proc/self/stat"};
    std::string text;
    std::getline(own, text);
    const std::size_t after_name = text.rfind(')'); // the name may hold anything
    if (after_name == std::string::npos)
        return std::nullopt;
    std::istringstream fields{text.substr(after_name + 1)};
    std::string field;
    constexpr int start_after_name = 20; // field 22, the name is field 2
    for (int i = 0; i < start_after_name && fields >> field; ++i) {
    }
    std::ifstream machine{"/proc/stat"};
    for (std::string line; std::getline(machine, line);)
        if (line.starts_with("btime "))
            return std::stod(line.substr(6)) + std::stod(field) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    return std::nullopt;
}

} // namespace

std::vector<MetricFamily> process_metrics()
{
    std::vector<MetricFamily> families;
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0)
        families.push_back(metric(
            "process_cpu_seconds_total", "Processor time of the process.", MetricType::Counter,
            seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)
        ));
    std::ifstream pages{"/proc/self/statm"};
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    if (pages >> all >> resident)
        families.push_back(metric(
            "process_resident_memory_bytes", "Memory of the process that is in RAM.", MetricType::Gauge,
            static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE))
        ));
    std::error_code error;
    std::size_t count = 0;
    for (std::filesystem::directory_iterator each{"/proc/self/fd", error}, end; !error && each != end;
         each.increment(error))
        ++count;
    if (!error)
        families.push_back(
            metric("process_open_fds", "Open descriptors.", MetricType::Gauge, static_cast<double>(count))
        );
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
        families.push_back(metric(
            "process_max_fds", "How many descriptors may be open.", MetricType::Gauge,
            static_cast<double>(limit.rlim_cur)
        ));
    if (const auto started = start_time())
        families.push_back(metric(
            "process_start_time_seconds", "When the process started, in seconds since 1970.", MetricType::Gauge,
            *started
        ));
    return families;
}

} // namespace usher
