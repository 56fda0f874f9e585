// SPDX-License-Identifier: Apache-2.0
#include "vendor/model.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <limits>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include <usher/core/jwt.hpp>
#include <usher/core/utf8.hpp>
#include <usher/crypto/base64.hpp>
#include <usher/crypto/secret.hpp>

namespace usher::vendor {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t opentok_life_max = 300;         // seconds, from iat to exp
constexpr std::int64_t vonage_default_life = 15 * 60;  // without exp
constexpr std::int64_t vonage_life_max = 24 * 60 * 60; // whatever exp says
constexpr std::size_t archive_name_max = 80;           // characters
constexpr std::size_t connections_of_page = 50;        // of the list, when no count is asked for
constexpr std::size_t connections_of_page_max = 1000;
constexpr std::chrono::hours pacific_standard_time{-8}; // create_dt is text for people; no daylight saving here
constexpr std::string_view xml_start = R"(<?xml version="1.0" encoding="UTF-8" standalone="yes"?>)";

constexpr std::array<std::pair<FaultKind, std::string_view>, 17> fault_names{{
    {FaultKind::none, "ok"},
    {FaultKind::delay, "delay"},
    {FaultKind::too_many, "too_many"},
    {FaultKind::server_error, "server_error"},
    {FaultKind::bad_gateway, "bad_gateway"},
    {FaultKind::unavailable, "unavailable"},
    {FaultKind::gateway_timeout, "gateway_timeout"},
    {FaultKind::reset_connect, "reset_connect"},
    {FaultKind::reset_before, "reset_before"},
    {FaultKind::reset_after, "reset_after"},
    {FaultKind::half_body, "half_body"},
    {FaultKind::wrong_type, "wrong_type"},
    {FaultKind::xml, "xml"},
    {FaultKind::empty_array, "empty_array"},
    {FaultKind::missing_id, "missing_id"},
    {FaultKind::skewed_date, "skewed_date"},
    {FaultKind::echo, "echo"},
}};

constexpr std::array<std::pair<Certificate, std::string_view>, 5> certificate_names{{
    {Certificate::good, "good"},
    {Certificate::ending, "ending"},
    {Certificate::expired, "expired"},
    {Certificate::wrong_host, "wrong_host"},
    {Certificate::unknown_ca, "unknown_ca"},
}};

template <class Names, class Value>
std::string_view name_of(Names const& names, Value value)
{
    return std::find_if(names.begin(), names.end(), [&](auto const& entry) { return entry.first == value; })->second;
}

template <class Value, std::size_t count>
std::optional<Value> value_of(std::array<std::pair<Value, std::string_view>, count> const& names, std::string_view name)
{
    for (auto const& [value, known] : names)
        if (known == name)
            return value;
    return std::nullopt;
}

// Text

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool is_number(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

/// Also for UUIDs and names of headers, which are ASCII.
std::string lower(std::string_view text)
{
    std::string result{text};
    for (char& c : result)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return result;
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

std::string xml_escape(std::string_view text)
{
    std::string result;
    for (const char c : text) {
        switch (c) {
        case '&': result += "&amp;"; break;
        case '<': result += "&lt;"; break;
        case '>': result += "&gt;"; break;
        default: result += c;
        }
    }
    return result;
}

std::optional<unsigned> hex_value(char c)
{
    if (is_digit(c))
        return static_cast<unsigned>(c - '0');
    const char letter = static_cast<char>(c | 0x20);
    if (letter >= 'a' && letter <= 'f')
        return static_cast<unsigned>(letter - 'a') + 10U;
    return std::nullopt;
}

/// One name or value of a form; nothing when a percent sign is not followed by two hex digits.
std::optional<std::string> form_decode(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        if (i + 2 >= text.size())
            return std::nullopt;
        const auto high = hex_value(text[i + 1]);
        const auto low = hex_value(text[i + 2]);
        if (!high || !low)
            return std::nullopt;
        result += static_cast<char>(*high << 4U | *low);
        i += 2;
    }
    return result;
}

std::optional<Fields> parse_form(std::string_view body)
{
    Fields fields;
    for (const std::string_view pair : split(body, '&')) {
        if (pair.empty())
            continue;
        const std::size_t equals = pair.find('=');
        auto name = form_decode(pair.substr(0, equals));
        auto value = form_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
        if (!name || !value)
            return std::nullopt;
        fields.emplace_back(std::move(*name), std::move(*value));
    }
    return fields;
}

std::optional<std::string> find_field(Fields const& fields, std::string_view name)
{
    for (auto const& [known, value] : fields)
        if (known == name)
            return value;
    return std::nullopt;
}

std::optional<std::string> find_header(HttpRequest const& request, std::string_view name)
{
    for (auto const& [known, value] : request.headers)
        if (lower(known) == name)
            return value;
    return std::nullopt;
}

bool wants_json(HttpRequest const& request)
{
    const auto accept = find_header(request, "accept");
    return accept && lower(*accept).find("application/json") != std::string::npos;
}

// Time

std::tm utc(Instant instant)
{
    const std::time_t time = std::chrono::floor<seconds>(instant).time_since_epoch().count();
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    return parts;
}

/// Not strftime: its names of days and months depend on the locale.
std::string_view day_name(std::tm const& parts)
{
    constexpr std::array<std::string_view, 7> names{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    return names.at(static_cast<std::size_t>(parts.tm_wday));
}

std::string_view month_name(std::tm const& parts)
{
    constexpr std::array<std::string_view, 12> names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return names.at(static_cast<std::size_t>(parts.tm_mon));
}

/// `Fri Feb 14 05:14:54 PST 2025`.
std::string create_dt(Instant instant)
{
    const std::tm parts = utc(instant + pacific_standard_time);
    std::array<char, 64> text{};
    std::snprintf(
        text.data(), text.size(), "%s %s %02d %02d:%02d:%02d PST %d", day_name(parts).data(), month_name(parts).data(),
        parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, parts.tm_year + 1900
    );
    return text.data();
}

// Ids

std::string bytes_of(std::uint64_t number)
{
    std::string bytes;
    for (unsigned shift = 64; shift > 0; shift -= 8)
        bytes += static_cast<char>((number >> (shift - 8)) & 0xffU);
    return bytes;
}

/// RFC 9562, version 4.
std::string uuid(std::uint64_t high, std::uint64_t low)
{
    high = (high & 0xffffffffffff0fffU) | 0x4000U;
    low = (low & 0x3fffffffffffffffU) | 0x8000000000000000U;
    std::string text = to_hex(bytes_of(high) + bytes_of(low));
    for (const std::size_t dash : {8U, 13U, 18U, 23U})
        text.insert(dash, 1, '-');
    return text;
}

/// `1_` and base64url of `1~KEY~LOCATION~MILLISECONDS~24 random characters~P when relayed~~`.
std::string session_id(
    std::string const& project_key, std::string const& location, Instant created, std::string const& random,
    bool relayed
)
{
    const std::string milliseconds_text = std::to_string(created.time_since_epoch().count());
    const std::string text = "1~" + project_key + "~" + location + "~" + milliseconds_text + "~" +
                             base64_encode(random) + "~" + (relayed ? "P" : "") + "~~";
    return "1_" + base64url_encode(text);
}

// Replies

HttpReply reply_of(int status, std::string type, std::string body)
{
    HttpReply reply;
    reply.status = status;
    if (!type.empty())
        reply.headers.emplace_back("Content-Type", std::move(type));
    reply.body = std::move(body);
    return reply;
}

HttpReply json_reply(int status, Json const& json)
{
    return reply_of(status, "application/json", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

HttpReply xml_reply(int status, std::string_view xml)
{
    return reply_of(status, "text/xml", std::string{xml_start} + std::string{xml});
}

HttpReply html_reply(int status, std::string const& title)
{
    return reply_of(
        status, "text/html", "<html><head><title>" + title + "</title></head><body><h1>" + title + "</h1></body></html>"
    );
}

HttpReply error_reply(int status, std::string const& message, bool json)
{
    if (json && status == 401) // the newer platform's form
        return json_reply(
            status, {{"type", "https://developer.vonage.com/api-errors#unauthorized"},
                     {"title", "Unauthorized"},
                     {"detail", message}}
        );
    if (json)
        return json_reply(status, {{"code", -1}, {"message", message}, {"description", message}});
    const std::string text = xml_escape(message);
    return xml_reply(
        status, "<errorPayload><code>-1</code><message>" + text + "</message><description>" + text +
                    "</description></errorPayload>"
    );
}

HttpReply too_many(Fault const& fault, Instant host_now)
{
    HttpReply reply = json_reply(429, {{"message", "Too many requests"}});
    reply.headers.emplace_back(
        "Retry-After",
        fault.retry_after_is_date ? http_date(host_now + fault.retry_after) : std::to_string(fault.retry_after.count())
    );
    return reply;
}

// Options of a session

bool is_ipv4(std::string_view text)
{
    const auto parts = split(text, '.');
    return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
               return is_number(part) && part.size() <= 3 && std::stoi(std::string{part}) <= 255;
           });
}

std::size_t characters_of(std::string_view utf8)
{
    const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
    return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), starts));
}

bool is_relayed(Fields const& form)
{
    const std::string preference = find_field(form, "p2p.preference").value_or("disabled");
    return preference == "enabled" || preference == "always"; // `always` is what the vendor's python SDK sends
}

std::string location_of(Fields const& form)
{
    const std::string location = find_field(form, "location").value_or("");
    return location == "null" ? "" : location; // @vonage/video sends the text when there is none
}

/// What is wrong with the options, for people; nothing when they are fine.
std::optional<std::string> find_mistake(Fields const& form)
{
    const std::string preference = find_field(form, "p2p.preference").value_or("disabled");
    if (preference != "disabled" && !is_relayed(form))
        return "Invalid p2p.preference: expected enabled or disabled";
    const std::string mode = find_field(form, "archiveMode").value_or("manual");
    if (mode != "manual" && mode != "always")
        return "Invalid archiveMode: expected manual or always";
    const bool always = mode == "always";
    if (always && is_relayed(form))
        return "Invalid archiveMode: always needs p2p.preference disabled";

    const std::string name = find_field(form, "archiveName").value_or("");
    if (!name.empty() && !always)
        return "Invalid archiveName: only with archiveMode always";
    if (!is_utf8(name) || characters_of(name) > archive_name_max)
        return "Invalid archiveName: expected 1 to 80 characters";

    if (const auto resolution = find_field(form, "archiveResolution")) {
        constexpr std::array known{"640x480", "480x640", "1280x720", "720x1280", "1920x1080", "1080x1920"};
        if (!always)
            return "Invalid archiveResolution: only with archiveMode always";
        if (std::find(known.begin(), known.end(), *resolution) == known.end())
            return "Invalid archiveResolution: not a known resolution";
    }

    if (const std::string location = location_of(form); !location.empty() && !is_ipv4(location))
        return "Invalid location: expected an IPv4 address";

    const std::string e2ee = lower(find_field(form, "e2ee").value_or("false"));
    if (e2ee != "true" && e2ee != "false")
        return "Invalid e2ee: expected true or false";
    if (e2ee == "true" && is_relayed(form))
        return "Invalid e2ee: needs p2p.preference disabled";
    if (e2ee == "true" && always)
        return "Invalid e2ee: not with archiveMode always";
    return std::nullopt;
}

// Tokens

struct Token {
    Json header;
    Json claims;
    std::string signed_text;
    std::string signature;
};

/// Nothing when it is no JWT or of another algorithm.
std::optional<Token> parse_token(std::string_view text, std::string_view algorithm)
{
    const auto parts = split_jwt(text);
    if (!parts)
        return std::nullopt;
    Token token;
    token.header = Json::parse(parts->header_json, nullptr, false);
    token.claims = Json::parse(parts->payload_json, nullptr, false);
    const auto signature = base64url_decode(parts->signature);
    if (!token.header.is_object() || !token.claims.is_object() || !signature)
        return std::nullopt;
    if (!token.header.contains("alg") || token.header["alg"] != algorithm)
        return std::nullopt;
    token.signed_text = parts->signing_input;
    token.signature = *signature;
    return token;
}

/// A claim that is text; empty when there is none.
std::string text_claim(Json const& claims, char const* name)
{
    const auto claim = claims.find(name);
    return claim != claims.end() && claim->is_string() ? claim->get<std::string>() : "";
}

/// A claim in whole seconds.
std::optional<std::int64_t> time_claim(Json const& claims, char const* name)
{
    const auto claim = claims.find(name);
    if (claim == claims.end() || !claim->is_number_integer())
        return std::nullopt;
    constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max();
    if (claim->is_number_unsigned() && claim->get<std::uint64_t>() > static_cast<std::uint64_t>(latest))
        return latest;
    return claim->get<std::int64_t>();
}

constexpr auto from_the_future = "issued time cannot be greater than current time";

} // namespace

std::string_view to_text(FaultKind kind)
{
    return name_of(fault_names, kind);
}

std::optional<FaultKind> parse_fault_kind(std::string_view name)
{
    return value_of(fault_names, name);
}

std::string_view to_text(Certificate certificate)
{
    return name_of(certificate_names, certificate);
}

std::optional<Certificate> parse_certificate(std::string_view name)
{
    return value_of(certificate_names, name);
}

Fault fault_of(FaultKind kind)
{
    Fault fault;
    fault.kind = kind;
    if (kind == FaultKind::delay)
        fault.delay = seconds{1};
    return fault;
}

std::string http_date(Instant instant)
{
    const std::tm parts = utc(instant);
    std::array<char, 64> text{};
    std::snprintf(
        text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", day_name(parts).data(), parts.tm_mday,
        month_name(parts).data(), parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec
    );
    return text.data();
}

std::uint64_t Random::next()
{
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
}

bool Random::chance(double probability)
{
    constexpr double unit = 1.0 / static_cast<double>(std::uint64_t{1} << 53U);
    return static_cast<double>(next() >> 11U) * unit < probability;
}

std::size_t Random::below(std::size_t bound)
{
    return static_cast<std::size_t>(next() % bound);
}

Vendor::Vendor(std::uint64_t seed) : faults_{seed}, ids_{~seed} {}

void Vendor::add_opentok(std::string const& api_key, std::string_view secret)
{
    projects_.insert_or_assign(api_key, HmacKey{Digest::sha256, secret});
}

void Vendor::add_vonage(std::string const& application_id, std::string_view pem)
{
    auto key = RsaPublicKey::from_pem(pem);
    if (!key)
        throw std::invalid_argument{"the key of application " + application_id + " is not an RSA key in PEM"};
    applications_.insert_or_assign(lower(application_id), std::move(*key));
}

Outcome Vendor::handle(HttpRequest const& request, Instant now, std::uint64_t entropy)
{
    const Fault fault = next_fault();
    const Instant host_now = now + behaviour.clock_offset;

    Outcome outcome = perform(fault, Call{request, host_now, entropy, wants_json(request)});

    outcome.delay = behaviour.latency + fault.delay;
    const seconds skew = fault.kind == FaultKind::skewed_date ? fault.skew : seconds{0};
    outcome.reply.headers.emplace_back("Date", http_date(host_now + skew));
    const int status = outcome.reset == Reset::none ? outcome.reply.status : 0;
    requests_.push_back({now, fault.kind, status, request});
    return outcome;
}

Fault Vendor::next_fault()
{
    if (behaviour.outage == Outage::unavailable)
        return fault_of(FaultKind::unavailable);
    if (!behaviour.next.empty()) {
        const Fault fault = behaviour.next.front();
        behaviour.next.pop_front();
        return fault;
    }
    std::vector<Fault> candidates;
    for (Fault const& fault : behaviour.by_chance)
        if (fault.kind != FaultKind::reset_connect)
            candidates.push_back(fault);
    if (candidates.empty() || !faults_.chance(behaviour.chance))
        return {};
    return candidates[faults_.below(candidates.size())];
}

bool Vendor::refuses_connection()
{
    const auto is_reset = [](Fault const& fault) { return fault.kind == FaultKind::reset_connect; };
    bool refuses = behaviour.outage == Outage::refused;
    if (!refuses && !behaviour.next.empty()) {
        refuses = is_reset(behaviour.next.front());
        if (refuses)
            behaviour.next.pop_front();
    } else if (!refuses && std::any_of(behaviour.by_chance.begin(), behaviour.by_chance.end(), is_reset)) {
        refuses = faults_.chance(behaviour.chance);
    }
    if (refuses)
        ++refused_connections_;
    return refuses;
}

bool Vendor::admits_tunnel(std::string target)
{
    if (behaviour.proxy_allows)
        tunnels_.push_back(std::move(target));
    return behaviour.proxy_allows;
}

std::optional<std::string> Vendor::connect(std::string_view session_id, Instant now)
{
    for (SessionRecord& session : sessions_) {
        if (session.id != session_id)
            continue;
        const std::uint64_t high = ids_.next();
        session.connections.push_back({uuid(high, ids_.next()), now});
        return session.connections.back().id;
    }
    return std::nullopt;
}

Outcome Vendor::perform(Fault const& fault, Call const& call)
{
    Outcome outcome;
    switch (fault.kind) {
    case FaultKind::none:
    case FaultKind::delay:
    case FaultKind::skewed_date: outcome.reply = answer(call); break;
    case FaultKind::too_many: outcome.reply = too_many(fault, call.host_now); break;
    case FaultKind::server_error: outcome.reply = reply_of(500, "text/plain", "Internal Server Error"); break;
    case FaultKind::bad_gateway:
        answer(call);
        outcome.reply = html_reply(502, "502 Bad Gateway");
        break;
    case FaultKind::unavailable: outcome.reply = reply_of(503, "text/xml", ""); break;
    case FaultKind::gateway_timeout:
        answer(call);
        outcome.reply = reply_of(504, "", "");
        break;
    case FaultKind::reset_connect:
    case FaultKind::reset_before: outcome.reset = Reset::before_work; break;
    case FaultKind::reset_after:
        outcome.reply = answer(call);
        outcome.reset = Reset::after_work;
        break;
    case FaultKind::half_body:
        outcome.reply = answer(call);
        outcome.truncate = true;
        break;
    case FaultKind::wrong_type:
        answer(call);
        outcome.reply = html_reply(200, "Welcome");
        break;
    case FaultKind::xml: outcome.reply = answer({call.request, call.host_now, call.entropy, false}); break;
    case FaultKind::empty_array: outcome.reply = json_reply(200, Json::array()); break;
    case FaultKind::missing_id:
        outcome.reply = json_reply(200, Json::array({{{"create_dt", create_dt(call.host_now)}}}));
        break;
    case FaultKind::echo: {
        const auto project = find_header(call.request, "x-opentok-auth");
        const auto application = find_header(call.request, "authorization");
        outcome.reply = error_reply(500, "Bad header: " + project.value_or(application.value_or("")), call.json);
        break;
    }
    }
    return outcome;
}

HttpReply Vendor::answer(Call const& call)
{
    std::string_view path = call.request.target;
    path = path.substr(0, path.find('?'));
    const auto parts = split(path, '/'); // of which the first is empty

    const bool creates = call.request.method == "POST" && path == "/session/create";
    const bool of_session =
        path.starts_with("/v2/project/") && parts.size() >= 7 && parts[4] == "session" && parts[6] == "connection";
    const std::string_view connection_id = parts.size() == 8 ? parts[7] : "";
    const bool lists = of_session && call.request.method == "GET" && parts.size() <= 8 && connection_id.empty();
    const bool disconnects =
        of_session && call.request.method == "DELETE" && parts.size() == 8 && !connection_id.empty();
    if (!creates && !lists && !disconnects)
        return error_reply(404, "Not Found", call.json);

    const auto account = authenticate(call);
    if (!account)
        return error_reply(account.error().status, account.error().message, call.json);
    if (creates)
        return create_session(*account, call);

    if (lower(parts[3]) != account->key)
        return error_reply(403, "The project in the path is not the authenticated one", call.json);
    SessionRecord* const session = find_session(parts[5], account->key);
    if (session == nullptr)
        return error_reply(404, "Session not found", call.json);
    return lists ? list_connections(*account, *session, call) : disconnect(*session, connection_id, call);
}

tl::expected<Vendor::Account, Vendor::Refusal> Vendor::authenticate(Call const& call) const
{
    constexpr std::string_view bearer = "bearer ";
    if (const auto token = find_header(call.request, "x-opentok-auth"))
        return authenticate_opentok(*token, call.host_now);
    const auto authorization = find_header(call.request, "authorization");
    if (authorization && lower(*authorization).starts_with(bearer))
        return authenticate_vonage(std::string_view{*authorization}.substr(bearer.size()), call.host_now);
    // Both hosts are one here: which of them was meant shows by the header alone.
    const bool vonage = authorization || projects_.empty();
    return tl::unexpected{Refusal{vonage ? 401 : 403, "No suitable authentication found"}};
}

tl::expected<Vendor::Account, Vendor::Refusal>
Vendor::authenticate_opentok(std::string_view token_text, Instant host_now) const
{
    const auto refuse = [](std::string message) { return tl::unexpected{Refusal{403, std::move(message)}}; };
    const auto token = parse_token(token_text, "HS256");
    if (!token)
        return refuse("Invalid Token");
    const std::string issuer = text_claim(token->claims, "iss");
    if (!is_number(issuer))
        return refuse("Invalid issuer format");
    const auto project = projects_.find(issuer);
    if (project == projects_.end())
        return refuse("Issuer not found");
    if (!constant_time_equal(project->second.sign(token->signed_text), token->signature))
        return refuse("Invalid signature");
    // The vendor's Ruby SDK writes it into the header.
    if (text_claim(token->claims.contains("ist") ? token->claims : token->header, "ist") != "project")
        return refuse("Invalid issuer type");

    const std::int64_t now = std::chrono::floor<seconds>(host_now).time_since_epoch().count();
    const auto issued = time_claim(token->claims, "iat");
    const auto expires = time_claim(token->claims, "exp");
    if (!issued || !expires)
        return refuse("iat and exp are required");
    if (*issued > now)
        return refuse(from_the_future);
    if (*expires <= now)
        return refuse("The token has expired");
    if (*expires > *issued + opentok_life_max)
        return refuse("The token lives longer than 5 minutes");
    return Account{AccountKind::opentok, issuer};
}

tl::expected<Vendor::Account, Vendor::Refusal>
Vendor::authenticate_vonage(std::string_view token_text, Instant host_now) const
{
    const auto refuse = [](std::string message) { return tl::unexpected{Refusal{401, std::move(message)}}; };
    const auto token = parse_token(token_text, "RS256");
    if (!token)
        return refuse("Invalid Token");
    const std::string id = lower(text_claim(token->claims, "application_id"));
    const auto application = applications_.find(id);
    if (application == applications_.end())
        return refuse("Invalid application_id");
    if (!application->second.verify(token->signed_text, token->signature))
        return refuse("Invalid signature");
    if (text_claim(token->claims, "jti").empty())
        return refuse("jti is required");

    const std::int64_t now = std::chrono::floor<seconds>(host_now).time_since_epoch().count();
    const auto issued = time_claim(token->claims, "iat");
    if (!issued)
        return refuse("iat is required");
    if (*issued > now)
        return refuse(from_the_future);
    const auto expires = time_claim(token->claims, "exp");
    if (token->claims.contains("exp") && !expires)
        return refuse("exp is not a number of seconds");
    const std::int64_t ends = std::min(expires.value_or(*issued + vonage_default_life), *issued + vonage_life_max);
    if (ends <= now)
        return refuse("The token has expired");
    return Account{AccountKind::vonage, id};
}

HttpReply Vendor::create_session(Account const& account, Call const& call)
{
    const std::string type = lower(find_header(call.request, "content-type").value_or(""));
    if (!call.request.body.empty() && !type.starts_with("application/x-www-form-urlencoded"))
        return error_reply(415, "Unsupported Media Type", call.json);
    auto form = parse_form(call.request.body);
    if (!form)
        return error_reply(400, "The form is not percent-encoded", call.json);
    if (const auto mistake = find_mistake(*form))
        return error_reply(400, *mistake, call.json);

    const auto first = std::find_if(sessions_.begin(), sessions_.end(), [&](SessionRecord const& session) {
        return session.project_key == account.key;
    });
    if (behaviour.repeats == account.key && first != sessions_.end())
        return json_reply(200, Json::array({{{"session_id", first->id}}}));

    // The number of sessions, mixed without loss: no two ids of one run are the same.
    const std::uint64_t unique = Random{sessions_.size()}.next();
    Random other{call.entropy};
    const std::string random = (bytes_of(unique) + bytes_of(other.next()) + bytes_of(other.next())).substr(0, 18);
    SessionRecord session;
    session.id = session_id(account.key, location_of(*form), call.host_now, random, is_relayed(*form));
    session.project_key = account.key;
    session.created = call.host_now;
    session.fields = std::move(*form);
    sessions_.push_back(session);

    if (!call.json)
        return xml_reply(
            200, "<sessions><Session><session_id>" + session.id + "</session_id><partner_id>" + account.key +
                     "</partner_id><create_dt>" + create_dt(call.host_now) + "</create_dt></Session></sessions>"
        );
    const Json reply{
        {"session_id", session.id},
        {"project_id", account.key},
        {"partner_id", account.key},
        {"create_dt", create_dt(call.host_now)},
        {"session_status", nullptr},
        {"status_invalid", nullptr},
        {"media_server_hostname", nullptr},
        {"messaging_server_url", nullptr},
        {"messaging_url", nullptr},
        {"symphony_address", nullptr},
        {"properties", nullptr},
        {"ice_server", nullptr},
        {"session_segment_id", uuid(unique, call.entropy)},
        {"ice_servers", nullptr},
        {"ice_credential_expiration", 86100},
    };
    return json_reply(200, Json::array({reply}));
}

HttpReply Vendor::list_connections(Account const& account, SessionRecord const& session, Call const& call) const
{
    const std::string_view target = call.request.target;
    const std::size_t question = target.find('?');
    const auto query = parse_form(question == std::string_view::npos ? "" : target.substr(question + 1));
    const auto number = [&](std::string_view name, std::size_t otherwise) -> std::optional<std::size_t> {
        const auto value = query ? find_field(*query, name) : std::nullopt;
        if (!value)
            return otherwise;
        return is_number(*value) && value->size() <= 9 ? std::optional{std::stoul(*value)} : std::nullopt;
    };
    const auto offset = number("offset", 0);
    const auto wanted = number("count", connections_of_page);
    if (!query || !offset || !wanted || *wanted > connections_of_page_max)
        return error_reply(400, "Invalid offset or count: at most 1000 at once", call.json);

    Json items = Json::array();
    const std::size_t count = session.connections.size();
    for (std::size_t i = *offset; i < count && items.size() < *wanted; ++i) {
        Connection const& connection = session.connections[i];
        items.push_back({
            {"connectionId", connection.id},
            {"connectionState", "Connected"},
            {"createdAt", connection.created.time_since_epoch().count()},
        });
    }
    return json_reply(
        200,
        {
            {"count", count},
            {account.kind == AccountKind::opentok ? "projectId" : "applicationId", account.key},
            {"sessionId", session.id},
            {"items", std::move(items)},
        }
    );
}

HttpReply Vendor::disconnect(SessionRecord& session, std::string_view connection_id, Call const& call)
{
    const auto removed =
        std::erase_if(session.connections, [&](Connection const& entry) { return entry.id == connection_id; });
    return removed > 0 ? reply_of(204, "", "") : error_reply(404, "Connection not found", call.json);
}

SessionRecord* Vendor::find_session(std::string_view id, std::string_view project_key)
{
    for (SessionRecord& session : sessions_)
        if (session.id == id && session.project_key == project_key)
            return &session;
    return nullptr;
}

} // namespace usher::vendor
