// SPDX-License-Identifier: Apache-2.0
#include <usher/config/load.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <usher/core/nearest.hpp>
#include <usher/core/printable.hpp>
#include <usher/core/url.hpp>
#include <usher/core/utf8.hpp>
#include <usher/crypto/rsa.hpp>

#include "config/secret_text.hpp"

namespace usher {

namespace {

constexpr std::size_t largest_file = 1U << 20U;
constexpr std::size_t largest_secret = 1U << 16U;
constexpr std::size_t most_errors = 100; // also bounds the work on a file that repeats itself through aliases
constexpr std::size_t most_projects = 1000;
constexpr std::size_t longest_project_name = 64;
constexpr std::size_t longest_api_key = 20;

constexpr seconds second{1};
constexpr seconds minute{60};
constexpr seconds hour{3600};
constexpr seconds day{24 * 3600};
constexpr seconds life_limit = 30 * day; // the vendor's
constexpr seconds default_life = Policy{}.max_token_life;

constexpr std::array<std::string_view, 7> root_keys{"database",   "projects",  "sessions", "tokens",
                                                    "clock_skew", "retention", "log"};
constexpr std::array<std::string_view, 18> project_keys{
    "provider",       "api_key",  "api_secret", "application_id", "private_key",     "token_format",
    "max_token_life", "base_url", "ca_file",    "proxy",          "connect_timeout", "timeout",
    "concurrency",    "rate",     "burst",      "on_removal",     "on_cancel",       "hard_end"};
constexpr std::array<std::string_view, 2> api_key_keys{"api_key", "api_secret"};
constexpr std::array<std::string_view, 2> application_keys{"application_id", "private_key"};
constexpr std::array<std::string_view, 11> network_keys{"base_url",   "ca_file",     "proxy",   "connect_timeout",
                                                        "timeout",    "concurrency", "rate",    "burst",
                                                        "on_removal", "on_cancel",   "hard_end"};
constexpr std::array<std::string_view, 1> session_keys{"lead"};
constexpr std::array<std::string_view, 5> door_keys{"default", "subscriber", "publisher", "publisheronly", "moderator"};
constexpr std::array<std::string_view, 5> token_keys{"lead", "early_join", "grace", "rotation_margin", "visible"};
constexpr std::array<std::string_view, 2> log_keys{"level", "format"};

/// Everything by its full name, to point at a key that stands at the wrong place.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> homes{{
    {"provider", "projects.<name>.provider"},
    {"api_key", "projects.<name>.api_key"},
    {"api_secret", "projects.<name>.api_secret"},
    {"application_id", "projects.<name>.application_id"},
    {"private_key", "projects.<name>.private_key"},
    {"token_format", "projects.<name>.token_format"},
    {"max_token_life", "projects.<name>.max_token_life"},
    {"early_join", "tokens.early_join"},
    {"grace", "tokens.grace"},
    {"rotation_margin", "tokens.rotation_margin"},
    {"level", "log.level"},
    {"format", "log.format"},
    {"database", "database"},
    {"clock_skew", "clock_skew"},
    {"retention", "retention"},
    {"projects", "projects"},
}};

/// Text from the file, for a message: bounded, and without control characters.
/// Line `number`, from 1, without its end; empty when there is none.
std::string_view line_of(std::string_view text, int number)
{
    for (; number > 1 && !text.empty(); --number) {
        auto const end = text.find('\n');
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return number < 1 ? std::string_view{} : text.substr(0, text.find('\n'));
}

/// From 1; 0 when all is well. yaml-cpp would put other characters in the place of such bytes, in silence.
int first_line_not_utf8(std::string_view text)
{
    for (int line = 1; !text.empty(); ++line) {
        auto const end = text.find('\n');
        if (!is_utf8(text.substr(0, end))) {
            return line;
        }
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return 0;
}

std::string joined(std::span<std::string_view const> names)
{
    std::string out;
    for (auto const name : names) {
        if (!name.empty()) {
            out += (out.empty() ? "" : ", ") + std::string{name};
        }
    }
    return out;
}

class FileDescriptor {
public:
    explicit FileDescriptor(std::string const& path)
        : fd_{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)} // a FIFO must not block
    {}
    FileDescriptor(FileDescriptor const&) = delete;
    FileDescriptor& operator=(FileDescriptor const&) = delete;
    ~FileDescriptor()
    {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    int get() const { return fd_; }

private:
    int fd_;
};

struct ReadFile {
    std::string content;
    mode_t mode = 0;
};

/// The whole of a regular file, or a sentence that says why not.
tl::expected<ReadFile, std::string> read_file(std::string const& path, std::size_t limit)
{
    FileDescriptor const fd{path};
    if (fd.get() < 0) {
        return tl::unexpected{std::string{"cannot be opened: "} + std::strerror(errno)};
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) {
        return tl::unexpected{std::string{"cannot be read: "} + std::strerror(errno)};
    }
    if (S_ISDIR(info.st_mode)) {
        return tl::unexpected{std::string{"is a directory, not a file"}};
    }
    if (!S_ISREG(info.st_mode)) {
        return tl::unexpected{std::string{"is not a regular file"}};
    }
    ReadFile file{std::string(limit + 1, '\0'), info.st_mode};
    std::size_t filled = 0;
    while (filled < file.content.size()) {
        auto const count = ::read(fd.get(), file.content.data() + filled, file.content.size() - filled);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            auto const error = errno;
            wipe(file.content);
            return tl::unexpected{std::string{"cannot be read: "} + std::strerror(error)};
        }
        if (count == 0) {
            break;
        }
        filled += static_cast<std::size_t>(count);
    }
    if (filled > limit) {
        wipe(file.content);
        return tl::unexpected{"is larger than " + std::to_string(limit >> 10U) + " KiB"};
    }
    file.content.resize(filled);
    return file;
}

/// A digit of a key that was changed leaves it readable, and its signatures worthless.
bool can_sign(RsaSigner const& signer)
{
    constexpr std::string_view trial = "usher";
    try {
        return signer.verify(trial, signer.sign(trial));
    } catch (std::runtime_error const&) { // OpenSSL noticed it
        return false;
    }
}

std::string octal(mode_t mode)
{
    std::string text{"0000"};
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[3 - i] = static_cast<char>('0' + ((mode >> (3 * i)) & 7U));
    }
    return text;
}

struct Position {
    int line = 0;
    int column = 0;

    auto operator<=>(Position const&) const = default;
};

Position position_of(YAML::Mark const& mark)
{
    return mark.is_null() || mark.line < 0 ? Position{} : Position{mark.line + 1, mark.column + 1};
}

/// A value with the key that it belongs to.
struct Entry {
    YAML::Node value;
    std::string key; ///< Its full name.
    Position at;     ///< Of the value, or of its key where there is no value.
};

using Entries = std::map<std::string, Entry, std::less<>>;

std::string under(std::string const& parent, std::string_view name)
{
    return parent.empty() ? std::string{name} : parent + "." + std::string{name};
}

std::string_view kind_of(YAML::Node const& node)
{
    switch (node.Type()) {
    case YAML::NodeType::Map: return "a map";
    case YAML::NodeType::Sequence: return "a list";
    case YAML::NodeType::Scalar: return "text";
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined: break;
    }
    return "nothing";
}

/// Where the second document of a text begins, if there is one. YAML::LoadAll wants all of them, and there is no end of
/// them in a text that begins with a comma.
class SecondDocument : public YAML::EventHandler {
public:
    static std::optional<Position> find(std::string const& text)
    {
        std::istringstream in{text};
        YAML::Parser parser{in};
        SecondDocument handler;
        while (!handler.at_ && parser.HandleNextDocument(handler)) {
        }
        return handler.at_;
    }

    void OnDocumentStart(YAML::Mark const&) override { ++documents_; }
    void OnDocumentEnd() override {}
    void OnNull(YAML::Mark const& mark, YAML::anchor_t) override { node(mark); }
    void OnAlias(YAML::Mark const& mark, YAML::anchor_t) override { node(mark); }
    void OnScalar(YAML::Mark const& mark, std::string const&, YAML::anchor_t, std::string const&) override
    {
        node(mark);
    }
    void OnSequenceStart(YAML::Mark const& mark, std::string const&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {
        node(mark);
    }
    void OnSequenceEnd() override {}
    void OnMapStart(YAML::Mark const& mark, std::string const&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {
        node(mark);
    }
    void OnMapEnd() override {}

private:
    void node(YAML::Mark const& mark)
    {
        if (documents_ > 1 && !at_) {
            at_ = position_of(mark);
        }
    }

    int documents_ = 0;
    std::optional<Position> at_;
};

class Loader {
public:
    Loader(std::string const& path, Secrets secrets)
        : path_{path}, folder_{std::filesystem::path{path}.parent_path()}, secrets_{secrets}
    {}

    tl::expected<Config, std::vector<ConfigError>> load()
    {
        Config config{};
        if (auto const root = parse()) {
            read_root(*root, config);
        }
        if (errors_.empty()) {
            return config;
        }
        std::stable_sort(errors_.begin(), errors_.end(), [](ConfigError const& a, ConfigError const& b) {
            return std::tie(a.line, a.column) < std::tie(b.line, b.column);
        });
        if (full()) {
            errors_.push_back({path_, 0, 0, "", "there are more mistakes; these are the first ones found"});
        }
        return tl::unexpected{std::move(errors_)};
    }

private:
    bool full() const { return errors_.size() >= most_errors; }

    void add(Position at, std::string key, std::string message)
    {
        if (!full()) {
            errors_.push_back({path_, at.line, at.column, std::move(key), std::move(message)});
        }
    }

    void add(Entry const& entry, std::string message) { add(entry.at, entry.key, std::move(message)); }

    void warn(Position at, std::string key, std::string message)
    {
        warnings_.push_back(ConfigError{path_, at.line, at.column, std::move(key), std::move(message)}.text());
    }

    std::optional<Entry> parse()
    {
        auto file = read_file(path_, largest_file);
        if (!file) {
            add(Position{}, "", file.error());
            return std::nullopt;
        }
        // yaml-cpp notices a quote that is never closed only where the text does not end with a newline.
        file->content.resize(file->content.find_last_not_of(" \t\r\n") + 1);
        try {
            if (auto const line = first_line_not_utf8(file->content); line > 0) {
                add(Position{line, 1}, "", "is not UTF-8 text from this line on; save the file as UTF-8");
                return std::nullopt;
            }
            auto const root = YAML::Load(file->content);
            if (auto const other = SecondDocument::find(file->content)) {
                add(*other, "", "expected one YAML document, got a second one");
                return std::nullopt;
            }
            if (!root.IsDefined() || root.IsNull()) {
                add(Position{}, "", "is empty; it needs at least projects: {<name>: {provider: sandbox}}");
                return std::nullopt;
            }
            return Entry{root, "", position_of(root.Mark())};
        } catch (YAML::Exception const& error) {
            auto const at = position_of(error.mark);
            auto const indent = line_of(file->content, at.line);
            bool const tab = indent.substr(0, indent.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
            add(at, "",
                tab ? "the line is indented with a tab; YAML takes spaces only" : "not YAML: " + printable(error.msg));
        }
        return std::nullopt;
    }

    /// The pairs of a map, with every key known; a repeated one counts once.
    template <class Unknown>
    Entries entries(Entry const& map, Unknown const& check)
    {
        Entries found;
        for (auto const& pair : map.value) {
            if (full()) {
                break;
            }
            auto at = position_of(pair.first.Mark());
            if (at.line == 0) {
                at = map.at;
            }
            if (!pair.first.IsScalar()) {
                add(at, map.key, "expected a name as key, got " + std::string{kind_of(pair.first)});
                continue;
            }
            std::string const& name = pair.first.Scalar();
            if (auto const earlier = found.find(name); earlier != found.end()) {
                add(at, under(map.key, printable(name)), "the key is there twice");
                continue;
            }
            if (!check(name, at)) {
                continue;
            }
            auto const value_at = position_of(pair.second.Mark());
            bool const missing = value_at.line == 0 || pair.second.IsNull();
            found.emplace(name, Entry{pair.second, under(map.key, printable(name)), missing ? at : value_at});
        }
        return found;
    }

    Entries known_entries(Entry const& map, std::span<std::string_view const> known)
    {
        return entries(map, [&](std::string const& name, Position at) {
            auto const is_name = [&](std::string_view other) { return other == name; };
            if (std::any_of(known.begin(), known.end(), is_name)) {
                return true;
            }
            add(at, under(map.key, printable(name)), unknown_key(name, known));
            return false;
        });
    }

    static std::string unknown_key(std::string_view name, std::span<std::string_view const> known)
    {
        auto const home = std::find_if(homes.begin(), homes.end(), [&](auto const& h) { return h.first == name; });
        if (home != homes.end()) {
            return "unknown key here; did you mean " + std::string{home->second} + "?";
        }
        if (auto const meant = nearest(name, known)) {
            return "unknown key; did you mean " + std::string{*meant} + "?";
        }
        return std::string{"unknown key; expected "} + (known.size() > 1 ? "one of " : "") + joined(known);
    }

    /// A section that may be left out or left empty.
    Entries section(Entries const& root, std::string_view name, std::span<std::string_view const> known)
    {
        auto const found = root.find(name);
        if (found == root.end() || found->second.value.IsNull()) {
            return {};
        }
        if (!found->second.value.IsMap()) {
            add(found->second, "expected a map, got " + std::string{kind_of(found->second.value)});
            return {};
        }
        return known_entries(found->second, known);
    }

    /// The text of a scalar, as it is written: 010 stays 010.
    std::optional<std::string> text(Entry const& entry, std::string_view expected)
    {
        if (entry.value.IsScalar() && !entry.value.Scalar().empty()) {
            return entry.value.Scalar();
        }
        auto const got = entry.value.IsScalar() ? std::string_view{"empty text"} : kind_of(entry.value);
        add(entry, "expected " + std::string{expected} + ", got " + std::string{got});
        return std::nullopt;
    }

    std::optional<seconds> duration(Entries const& map, std::string_view name, seconds least, seconds most)
    {
        auto const value = duration(map, name);
        if (!value || (*value >= least && *value <= most)) {
            return value;
        }
        add(map.find(name)->second, "expected " + to_text(least) + " to " + to_text(most) + ", got " + to_text(*value));
        return std::nullopt;
    }

    std::optional<seconds> duration(Entries const& map, std::string_view name)
    {
        auto const found = map.find(name);
        if (found == map.end()) {
            return std::nullopt;
        }
        auto const written = text(found->second, "a duration such as 90m");
        if (!written) {
            return std::nullopt;
        }
        auto const value = parse_duration(*written);
        if (!value) {
            add(found->second, value.error().message);
            return std::nullopt;
        }
        return *value;
    }

    template <class Value>
    std::optional<Value>
    choice(Entries const& map, std::string_view name, std::initializer_list<std::pair<std::string_view, Value>> choices)
    {
        auto const found = map.find(name);
        if (found == map.end()) {
            return std::nullopt;
        }
        std::vector<std::string_view> names;
        for (auto const& one : choices) {
            names.push_back(one.first);
        }
        auto const expected = (names.size() > 1 ? "one of " : "") + joined(names);
        auto const written = text(found->second, expected);
        if (!written) {
            return std::nullopt;
        }
        for (auto const& one : choices) {
            if (one.first == *written) {
                return one.second;
            }
        }
        auto const meant = nearest(*written, names);
        add(found->second, "expected " + expected + ", got " + in_quotes(*written) +
                               (meant ? "; did you mean " + std::string{*meant} + "?" : ""));
        return std::nullopt;
    }

    std::string beside_config(std::string const& path) const { return (folder_ / path).string(); }

    void read_root(Entry const& root, Config& config)
    {
        if (!root.value.IsMap()) {
            add(root, "expected a map of settings, got " + std::string{kind_of(root.value)});
            return;
        }
        auto const map = known_entries(root, root_keys);

        config.database = "/var/lib/usher/usher.db";
        if (auto const found = map.find("database"); found != map.end()) {
            if (auto const path = text(found->second, "the path of the database")) {
                config.database = beside_config(*path);
            }
        }
        auto& base = config.base;
        auto const sessions = section(map, "sessions", session_keys);
        base.session_lead = duration(sessions, "lead", seconds{0}, 400 * day).value_or(base.session_lead);

        auto const tokens = section(map, "tokens", token_keys);
        base.token_lead = duration(tokens, "lead", minute, 400 * day).value_or(base.token_lead);
        read_doors(tokens, base);
        base.grace = duration(tokens, "grace", seconds{0}, 30 * day).value_or(base.grace);
        auto const margin = duration(tokens, "rotation_margin", second, life_limit);

        base.clock_skew = duration(map, "clock_skew", seconds{0}, 5 * minute).value_or(base.clock_skew);
        base.retention = duration(map, "retention", hour, 3650 * day).value_or(base.retention);

        auto const log = section(map, "log", log_keys);
        config.log.level = choice<LogLevel>(
                               log, "level",
                               {{"debug", LogLevel::debug},
                                {"info", LogLevel::info},
                                {"warning", LogLevel::warning},
                                {"error", LogLevel::error}}
        ).value_or(config.log.level);
        config.log.format = choice<LogFormat>(
                                log, "format",
                                {{"auto", LogFormat::automatic},
                                 {"text", LogFormat::text},
                                 {"json", LogFormat::json},
                                 {"journal", LogFormat::journal}}
        ).value_or(config.log.format);

        auto const projects = map.find("projects");
        if (projects == map.end()) {
            add(root.at, "projects", "expected a map with at least one project, got nothing");
        } else {
            read_projects(projects->second, tokens, margin, config);
        }
        config.warnings = std::move(warnings_);
    }

    void read_projects(Entry const& projects, Entries const& tokens, std::optional<seconds> margin, Config& config)
    {
        if (!projects.value.IsMap() || projects.value.size() == 0) {
            auto const got = projects.value.IsMap() ? std::string_view{"an empty map"} : kind_of(projects.value);
            add(projects, "expected a map with at least one project, got " + std::string{got});
            return;
        }
        if (projects.value.size() > most_projects) {
            add(projects, "expected at most " + std::to_string(most_projects) + " projects, got " +
                              std::to_string(projects.value.size()));
            return;
        }
        // The map sorts by name; the file's order is kept here.
        std::vector<std::string> order;
        auto const map = entries(projects, [&](std::string const& name, Position at) {
            auto const is_part = [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '-' || c == '.';
            };
            if (name.empty() || name.size() > longest_project_name || !std::all_of(name.begin(), name.end(), is_part)) {
                add(at, "projects",
                    "expected a name of 1 to 64 letters, digits, '_', '-' and '.', got " + in_quotes(name));
                return false;
            }
            order.push_back(name);
            return true;
        });
        for (auto const& name : order) {
            if (full()) {
                return;
            }
            auto const& entry = map.find(name)->second;
            if (!entry.value.IsMap()) {
                add(entry, "expected a map with at least a provider, got " + std::string{kind_of(entry.value)});
                continue;
            }
            read_project(name, entry, tokens, margin, config);
        }
    }

    void read_project(
        std::string const& name, Entry const& project, Entries const& tokens, std::optional<seconds> margin,
        Config& config
    )
    {
        auto const map = known_entries(project, project_keys);
        auto const provider = read_provider(project, map);
        bool const application = provider == "vonage";
        if (provider) {
            check_keys(project, map, *provider);
        }
        auto project_key = application ? read_application_id(map) : read_api_key(map);
        key_source_.clear();
        auto secret = application ? read_private_key(map) : read_api_secret(map, provider);
        auto connection = provider && *provider != "sandbox" ? read_connection(map, *provider) : ConnectionConfig{};
        auto const format = choice<TokenFormat>(
                                map, "token_format", {{"t1", TokenFormat::t1}, {"jwt", TokenFormat::jwt}}
        ).value_or(TokenFormat::jwt);
        auto const life = read_life(map, config.base.clock_skew);
        if (life) {
            check_policy(project, map, tokens, margin, *life, config.base);
        }
        auto const removal = choice<bool>(map, "on_removal", {{"keep", false}, {"replace_session", true}});
        auto const cancel = choice<bool>(map, "on_cancel", {{"keep", false}, {"disconnect", true}});
        auto const end = choice<bool>(map, "hard_end", {{"off", false}, {"disconnect", true}});
        if (auto const found = map.find("token_format");
            application && found != map.end() && format == TokenFormat::t1) {
            add(found->second, "expected jwt, the only format of provider vonage, got \"t1\"");
        }
        if (errors_.empty()) {
            config.projects.push_back(ProjectConfig{
                name, provider.value_or(""), project_key ? std::move(*project_key) : std::string{sandbox_api_key},
                secret ? std::move(*secret) : Secret{std::string{sandbox_api_secret}}, format,
                life.value_or(default_life), margin.value_or(life.value_or(default_life) / 3), std::move(connection),
                removal.value_or(false), cancel.value_or(false), end.value_or(false), key_source_});
        }
    }

    std::optional<std::string> read_provider(Entry const& project, Entries const& map)
    {
        auto const found = map.find("provider");
        if (found == map.end()) {
            add(project.at, under(project.key, "provider"), "expected one of sandbox, opentok, vonage, got nothing");
            return std::nullopt;
        }
        return choice<std::string>(
            map, "provider", {{"sandbox", "sandbox"}, {"opentok", "opentok"}, {"vonage", "vonage"}}
        );
    }

    /// The keys that the provider needs are there, and those of another one are not.
    void check_keys(Entry const& project, Entries const& map, std::string const& provider)
    {
        auto const refuse = [&](std::span<std::string_view const> keys, std::string const& why) {
            for (auto const key : keys) {
                if (auto const found = map.find(key); found != map.end()) {
                    add(found->second, why);
                }
            }
        };
        auto const require = [&](std::span<std::string_view const> keys) {
            for (auto const key : keys) {
                if (!map.contains(key)) {
                    add(project.at, under(project.key, key), "is needed by provider " + provider);
                }
            }
        };
        if (provider == "vonage") {
            require(application_keys);
            refuse(api_key_keys, "belongs to provider opentok; vonage has application_id and private_key");
        } else {
            refuse(application_keys, "belongs to provider vonage; " + provider + " has api_key and api_secret");
        }
        if (provider == "opentok") {
            require(api_key_keys);
        }
        if (provider == "sandbox") {
            refuse(network_keys, "belongs to providers opentok and vonage; the sandbox does not use the network");
        }
    }

    ConnectionConfig read_connection(Entries const& map, std::string const& provider)
    {
        ConnectionConfig connection;
        connection.base_url = provider == "opentok" ? "https://api.opentok.com" : "https://video.api.vonage.com";
        if (auto url = read_url(map, "base_url", "https")) {
            connection.base_url = std::move(*url);
        }
        if (auto url = read_url(map, "proxy", "http")) {
            connection.proxy = std::move(*url);
        }
        if (auto const found = map.find("ca_file"); found != map.end()) {
            if (auto const path = text(found->second, "the path of a file with certificates")) {
                connection.ca_file = beside_config(*path);
                if (auto const file = read_file(connection.ca_file, largest_file); !file) {
                    add(found->second, printable(connection.ca_file) + " " + file.error());
                } else if (file->content.find("BEGIN CERTIFICATE") == std::string::npos) {
                    add(found->second, printable(connection.ca_file) + " holds no certificate in PEM");
                }
            }
        }
        connection.connect_timeout =
            duration(map, "connect_timeout", second, minute).value_or(connection.connect_timeout);
        connection.timeout = duration(map, "timeout", second, 5 * minute).value_or(connection.timeout);
        connection.concurrency = number(map, "concurrency", 1, 256).value_or(connection.concurrency);
        connection.rate = static_cast<double>(number(map, "rate", 1, 10'000).value_or(5));
        connection.burst = number(map, "burst", 1, 10'000).value_or(connection.burst);
        return connection;
    }

    std::optional<std::string> read_url(Entries const& map, std::string_view name, std::string const& scheme)
    {
        auto const found = map.find(name);
        if (found == map.end()) {
            return std::nullopt;
        }
        auto written = text(found->second, "a URL such as " + scheme + "://host:port");
        if (!written) {
            return std::nullopt;
        }
        auto const url = parse_url(*written);
        if (!url) {
            add(found->second, url.error());
            return std::nullopt;
        }
        if (url->scheme != scheme) {
            add(found->second, "expected " + scheme + "://, got " + url->scheme + "://");
            return std::nullopt;
        }
        return written;
    }

    std::optional<std::int64_t> number(Entries const& map, std::string_view name, std::int64_t least, std::int64_t most)
    {
        auto const found = map.find(name);
        if (found == map.end()) {
            return std::nullopt;
        }
        auto const expected = std::to_string(least) + " to " + std::to_string(most);
        auto const written = text(found->second, expected);
        if (!written) {
            return std::nullopt;
        }
        std::int64_t value = 0;
        auto const* const end = written->data() + written->size();
        auto const [stop, error] = std::from_chars(written->data(), end, value);
        if (error != std::errc{} || stop != end || value < least || value > most) {
            add(found->second, "expected " + expected + ", got " + in_quotes(*written));
            return std::nullopt;
        }
        return value;
    }

    /// The value stays out of the messages: a secret is easily pasted here.
    std::optional<std::string> read_application_id(Entries const& map)
    {
        auto const found = map.find("application_id");
        if (found == map.end()) {
            return std::nullopt;
        }
        auto id = text(found->second, "the application's id, which is a UUID");
        if (id && !is_uuid(*id)) {
            bool const digits = std::all_of(id->begin(), id->end(), [](char c) { return c >= '0' && c <= '9'; });
            add(found->second,
                digits ? "expected the application's id, which is a UUID, got a number; an API key goes with provider: "
                         "opentok and api_key"
                       : "expected the application's id, which is a UUID such as 29f760f8-7ce1-46c9-ade3-f2dedee4ed5f");
            return std::nullopt;
        }
        return id;
    }

    std::optional<Secret> read_private_key(Entries const& map)
    {
        auto key = read_secret(map, "private_key");
        if (!key || secrets_ == Secrets::leave) {
            return key;
        }
        auto const& entry = map.find("private_key")->second;
        if (!is_pem(key->reveal())) {
            add(entry, "is no key in PEM, which begins with -----BEGIN PRIVATE KEY-----; an API secret goes with "
                       "provider: opentok and api_secret");
            return std::nullopt;
        }
        auto const signer = RsaSigner::from_pem(*key);
        if (!signer) {
            auto const why =
                signer.error() == RsaKeyError::not_rsa
                    ? std::string{"; Vonage takes RSA keys only, made for the application in its dashboard"}
                    : std::string{};
            add(entry, "the key " + std::string{to_text(signer.error())} + why);
            return std::nullopt;
        }
        if (!can_sign(*signer)) {
            add(entry, "the key is damaged: it cannot verify what it signs");
            return std::nullopt;
        }
        if (key->reveal().find("\\n") != std::string_view::npos) {
            warn(
                entry.at, entry.key,
                "the key has \\n where its lines end, as environment variables have it; it is read as if they were "
                "line ends, but other programs will refuse it"
            );
        }
        return key;
    }

    std::optional<Secret> read_api_secret(Entries const& map, std::optional<std::string> const& provider)
    {
        auto secret = read_secret(map, "api_secret");
        if (!secret || secrets_ == Secrets::leave) {
            return secret;
        }
        auto const& entry = map.find("api_secret")->second;
        if (is_pem(secret->reveal())) {
            add(entry, "is a private key, not an API secret; a project with a private key has provider: vonage and "
                       "application_id");
            return std::nullopt;
        }
        auto const text = secret->reveal();
        if (provider == "opentok" && text.find(' ') != std::string_view::npos) {
            add(entry,
                "has a blank within the secret, which no secret of the vendor's has; remove what stands beside it");
            return std::nullopt;
        }
        if (provider == "opentok" &&
            (text.size() != 40 || text.find_first_not_of("0123456789abcdef") != std::string_view::npos)) {
            warn(
                entry.at, entry.key,
                "the secret is not 40 lower-case hexadecimal digits, as the vendor's are; if it is wrong, no token "
                "opens a meeting"
            );
        }
        return secret;
    }

    /// The value stays out of the messages: a secret is easily pasted here.
    std::optional<std::string> read_api_key(Entries const& map)
    {
        auto const found = map.find("api_key");
        if (found == map.end()) {
            return std::nullopt;
        }
        auto key = text(found->second, "the project's API key, which is a number");
        if (key && is_uuid(*key)) {
            add(found->second, "expected the project's API key, which is a number, got a UUID; an application id goes "
                               "with provider: vonage and application_id");
            return std::nullopt;
        }
        if (key && (key->size() > longest_api_key ||
                    !std::all_of(key->begin(), key->end(), [](char c) { return c >= '0' && c <= '9'; }))) {
            add(found->second, "expected the project's API key, which is a number of at most 20 digits");
            return std::nullopt;
        }
        return key;
    }

    /// One duration for all roles, or a map with one for each role and `default` for the others.
    void read_doors(Entries const& tokens, Policy& base)
    {
        auto const limit = 30 * day;
        if (auto const found = tokens.find("early_join"); found != tokens.end() && found->second.value.IsMap()) {
            auto const doors = section(tokens, "early_join", door_keys);
            if (auto const others = duration(doors, "default", seconds{0}, limit)) {
                base.early_join = EarlyJoin{*others};
            }
            for (auto const role : {Role::subscriber, Role::publisher, Role::publisheronly, Role::moderator}) {
                if (auto const early = duration(doors, to_text(role), seconds{0}, limit)) {
                    base.early_join.set(role, *early);
                }
            }
        } else if (auto const early = duration(tokens, "early_join", seconds{0}, limit)) {
            base.early_join = EarlyJoin{*early};
        }
        base.visible_at_opens =
            choice<bool>(tokens, "visible", {{"at_once", false}, {"at_opens", true}}).value_or(base.visible_at_opens);
    }

    std::optional<seconds> read_life(Entries const& map, seconds clock_skew)
    {
        auto const least = 10 * (clock_skew + second);
        auto const found = map.find("max_token_life");
        if (found == map.end()) {
            return default_life; // above any `least`
        }
        auto const life = duration(map, "max_token_life");
        if (life && (*life < least || *life >= life_limit)) {
            add(found->second, "expected at least " + to_text(least) + " (ten times clock_skew and one second) and " +
                                   "less than " + to_text(life_limit) + ", got " + to_text(*life));
            return std::nullopt;
        }
        return life;
    }

    void check_policy(
        Entry const& project, Entries const& map, Entries const& tokens, std::optional<seconds> margin, seconds life,
        Policy const& base
    )
    {
        auto const life_key = under(project.key, "max_token_life");
        auto const life_entry = map.find("max_token_life");
        auto const life_at = life_entry == map.end() ? project.at : life_entry->second.at;
        auto const spread_range = life / 12;
        if (margin && *margin + spread_range > life / 2) {
            add(tokens.find("rotation_margin")->second,
                "the policy loops: with a margin of " + to_text(*margin) + " and a spread of " + to_text(spread_range) +
                    ", tokens are replaced in the first half of their life, which is " + to_text(life) + " by " +
                    life_key + "; expected at most " + to_text(life / 2 - spread_range));
        }
        if (base.token_lead > life) {
            auto const lead = tokens.find("lead");
            auto const at = lead == tokens.end() ? life_at : lead->second.at;
            warn(
                at, "tokens.lead",
                to_text(base.token_lead) + " is longer than a token lives, which is " + to_text(life) + " by " +
                    life_key + ": tokens are replaced again and again before their meeting opens"
            );
        }
    }

    /// What is written here may be the secret itself, so no message repeats it.
    std::optional<Secret> read_secret(Entries const& map, std::string_view name)
    {
        auto const found = map.find(name);
        if (found == map.end()) {
            return std::nullopt;
        }
        auto const& entry = found->second;
        if (entry.value.IsScalar()) {
            add(entry, "a secret must not stand in this file; put it into a file of its own, readable by usher alone, "
                       "and write {file: PATH} or {credential: NAME}");
            return std::nullopt;
        }
        if (!entry.value.IsMap() || entry.value.size() != 1) {
            add(entry, "expected {file: PATH} or {credential: NAME}");
            return std::nullopt;
        }
        auto const pair = entry.value.begin();
        auto const kind = pair->first.IsScalar() ? pair->first.Scalar() : std::string{};
        if (kind != "file" && kind != "credential") {
            add(entry, "expected {file: PATH} or {credential: NAME}");
            return std::nullopt;
        }
        auto const at = position_of(pair->second.Mark());
        Entry const source{pair->second, under(entry.key, kind), at.line == 0 ? entry.at : at};
        auto const written = text(source, kind == "file" ? "the path of a file" : "the name of a credential");
        if (!written) {
            return std::nullopt;
        }
        key_source_ = kind == "file" ? beside_config(*written) : "credential " + *written;
        if (secrets_ == Secrets::leave) {
            return Secret{std::string{}};
        }
        return kind == "file" ? secret_file(source, beside_config(*written)) : credential(source, *written);
    }

    std::optional<Secret> secret_file(Entry const& source, std::string const& path)
    {
        auto file = read_file(path, largest_secret);
        if (!file) {
            add(source, printable(path) + " " + file.error());
            return std::nullopt;
        }
        if ((file->mode & 0077U) != 0) {
            wipe(file->content);
            add(source, printable(path) + " may be used by other accounts (mode " + octal(file->mode) +
                            "); chmod 600 " + printable(path));
            return std::nullopt;
        }
        return without_newline(source, path, std::move(file->content));
    }

    std::optional<Secret> credential(Entry const& source, std::string const& name)
    {
        if (name == "." || name == ".." || name.find('/') != std::string::npos) {
            add(source, "expected the name of a credential, without a folder");
            return std::nullopt;
        }
        char const* const folder = std::getenv("CREDENTIALS_DIRECTORY"); // NOLINT(concurrency-mt-unsafe)
        if (folder == nullptr || *folder == '\0') {
            add(source, "there are no credentials, since $CREDENTIALS_DIRECTORY is not set; systemd sets it for a "
                        "unit with LoadCredential=" +
                            printable(name) + ":PATH");
            return std::nullopt;
        }
        auto const path = (std::filesystem::path{folder} / name).string();
        auto file = read_file(path, largest_secret);
        if (!file) {
            add(source, printable(path) + " " + file.error());
            return std::nullopt;
        }
        return without_newline(source, path, std::move(file->content));
    }

    std::optional<Secret> without_newline(Entry const& source, std::string const& path, std::string content)
    {
        if (auto const fault = secret_fault(content)) {
            wipe(content);
            add(source, printable(path) + " " + *fault);
            return std::nullopt;
        }
        if (content.back() == '\n') {
            content.pop_back();
        }
        return Secret{std::move(content)};
    }

    std::string path_;
    std::filesystem::path folder_;
    Secrets secrets_;
    std::string key_source_; ///< Of the project at hand.
    std::vector<ConfigError> errors_;
    std::vector<std::string> warnings_;
};

} // namespace

std::string ConfigError::text() const
{
    auto out = file;
    if (line > 0) {
        out += ":" + std::to_string(line) + ":" + std::to_string(column);
    }
    return out + ": " + (key.empty() ? "" : key + ": ") + message;
}

std::uint64_t ConnectionConfig::hash() const
{
    return stable_hash(base_url + '\n' + ca_file + '\n' + proxy);
}

Result<TokenSigner> ProjectConfig::signer(TokenFormat format) const
{
    if (provider != "vonage")
        return TokenSigner::for_api_key(format, project_key, key);
    auto rsa = RsaSigner::from_pem(key);
    if (!rsa)
        return fail(
            Errc::rsa_key_missing, "The private key of " + name + " " + std::string{to_text(rsa.error())} + "."
        );
    return TokenSigner::for_application(project_key, std::move(*rsa));
}

Policy Config::policy_for(ProjectConfig const& project) const
{
    Policy policy = base;
    policy.max_token_life = project.max_token_life;
    policy.rotation_margin = project.rotation_margin;
    policy.replace_on_removal = project.replace_on_removal;
    policy.disconnect_on_cancel = project.disconnect_on_cancel;
    policy.disconnect_at_close = project.disconnect_at_close;
    return policy;
}

Config default_config(std::string database_path)
{
    Config config{};
    config.database = std::move(database_path);
    config.projects.push_back(ProjectConfig{
        "default", "sandbox", std::string{sandbox_api_key}, Secret{std::string{sandbox_api_secret}}, TokenFormat::jwt,
        default_life, default_life / 3});
    return config;
}

tl::expected<Config, std::vector<ConfigError>> load_config(std::string const& path, Secrets secrets)
{
    return Loader{path, secrets}.load();
}

std::vector<std::string> configuration_keys()
{
    std::vector<std::string> all;
    auto const add = [&all](std::string const& section, std::span<std::string_view const> keys) {
        for (std::string_view const key : keys)
            all.push_back(section + std::string{key});
    };
    add("", root_keys);
    add("projects.", project_keys);
    add("sessions.", session_keys);
    add("tokens.", token_keys);
    add("log.", log_keys);
    return all;
}

} // namespace usher
