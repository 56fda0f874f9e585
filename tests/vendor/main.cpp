// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include "vendor/server.hpp"

namespace {

using namespace usher::vendor;

constexpr int exit_could_not = 1;
constexpr int exit_usage = 2;

constexpr auto example = R"(Example:
  usher-vendor --dir /tmp/vendor --opentok 47665971:/etc/usher/project.secret \
    --latency 80 --faults too_many,reset_after,half_body:0.1 --seed 7
  curl --cacert /tmp/vendor/ca.pem https://127.0.0.1:PORT/_vendor/sessions

Faults: delay, too_many, server_error, bad_gateway, unavailable, gateway_timeout, reset_connect, reset_before,
reset_after, half_body, wrong_type, xml, empty_array, missing_id, skewed_date, echo.)";

/// What is wrong with the command line.
class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// `LEFT:RIGHT`; the right one may hold colons, the left one may not.
std::pair<std::string, std::string> split_at_colon(std::string const& text, std::string const& option)
{
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
        throw UsageError{option + ": expected two parts with a colon between, got " + text};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string read_file(std::string const& path)
{
    std::ifstream file{path, std::ios::binary};
    if (!file)
        throw std::runtime_error{path + " cannot be read"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// As people's editors leave them: with a line end.
std::string read_secret(std::string const& path)
{
    std::string secret = read_file(path);
    secret.erase(secret.find_last_not_of(" \t\r\n") + 1);
    return secret;
}

void script_chance(Behaviour& behaviour, std::string const& text)
{
    const auto [kinds, probability] = split_at_colon(text, "--faults");
    std::size_t read = 0;
    try {
        behaviour.chance = std::stod(probability, &read);
    } catch (std::logic_error const&) {
        read = 0;
    }
    if (read != probability.size() || !(behaviour.chance >= 0 && behaviour.chance <= 1))
        throw UsageError{"--faults: expected a probability from 0 to 1, got " + probability};
    std::istringstream list{kinds};
    for (std::string name; std::getline(list, name, ',');) {
        const auto kind = parse_fault_kind(name);
        if (!kind)
            throw UsageError{"--faults: unknown fault " + name};
        behaviour.by_chance.push_back(fault_of(*kind));
    }
}

int run(int argc, char** argv)
{
    ServerSettings settings;
    std::vector<std::string> opentok;
    std::vector<std::string> vonage;
    std::string faults;
    std::string certificate = "good";
    std::string proxy = "allow";
    milliseconds::rep latency_ms = 0;
    seconds::rep clock_offset = 0;

    CLI::App app{"Stands in for Vonage Video and OpenTok on 127.0.0.1, for tests.", "usher-vendor"};
    app.footer(example);
    app.add_option("--dir", settings.directory, "Gets ca.pem")
        ->required()
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory);
    app.add_option("--opentok", opentok, "A project, with the file that holds its secret")->type_name("KEY:FILE");
    app.add_option("--vonage", vonage, "An application, with its public or private key")->type_name("ID:FILE");
    app.add_option("--latency", latency_ms, "Added to every answer")->type_name("MS")->check(CLI::NonNegativeNumber);
    app.add_option("--faults", faults, "What goes wrong by chance, and how likely")->type_name("KIND[,KIND...]:CHANCE");
    app.add_option("--seed", settings.seed, "Of what happens by chance")->type_name("N");
    app.add_option("--clock-offset", clock_offset, "The host's clock minus ours")->type_name("SECONDS");
    app.add_option("--certificate", certificate, "What the server shows to clients")
        ->check(CLI::IsMember({"good", "ending", "expired", "wrong_host", "unknown_ca"}));
    app.add_option("--proxy", proxy, "What the proxy does")->check(CLI::IsMember({"allow", "refuse"}));
    app.add_option("--port", settings.port, "Of the HTTPS server; 0 takes a free one")->type_name("N");
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : exit_usage; // CLI11 exits with 100 and more
    }

    boost::asio::io_context context;
    boost::asio::signal_set signals{context, SIGTERM, SIGINT};
    Behaviour behaviour;
    behaviour.latency = milliseconds{latency_ms};
    behaviour.clock_offset = seconds{clock_offset};
    behaviour.certificate = *parse_certificate(certificate);
    behaviour.proxy_allows = proxy == "allow";
    if (!faults.empty())
        script_chance(behaviour, faults);

    VendorServer server{context, settings};
    server.model().behaviour = behaviour;
    for (std::string const& text : opentok) {
        const auto [key, file] = split_at_colon(text, "--opentok");
        server.model().add_opentok(key, read_secret(file));
    }
    for (std::string const& text : vonage) {
        const auto [id, file] = split_at_colon(text, "--vonage");
        server.model().add_vonage(id, read_file(file));
    }

    const nlohmann::ordered_json line{
        {"url", server.url()}, {"ca_file", server.ca_file().string()}, {"proxy", server.proxy_url()}};
    std::cout << line.dump() << std::endl; // flushed: whoever started us waits for it
    signals.async_wait([&](boost::system::error_code, int) { server.stop(); });
    context.run();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    try {
        return run(argc, argv);
    } catch (UsageError const& error) {
        std::cerr << "usher-vendor: " << error.what() << '\n';
        return exit_usage;
    } catch (std::exception const& error) {
        std::cerr << "usher-vendor: " << error.what() << '\n';
        return exit_could_not;
    }
}
