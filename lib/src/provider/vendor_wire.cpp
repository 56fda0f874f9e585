// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/vendor_wire.hpp>

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include <usher/core/ascii.hpp>
#include <usher/core/printable.hpp>
#include <usher/core/row_check.hpp>
#include <usher/core/session_id.hpp>
#include <usher/provider/redaction.hpp>

namespace usher {

namespace {

constexpr std::string_view user_agent = "usher/1";
constexpr std::size_t message_bytes_max = 200;    // of the vendor's own words
constexpr std::size_t id_bytes_max = 255;         // the vendor's limit for session ids
constexpr std::size_t connections_of_page = 1000; // the vendor's limit
constexpr seconds retry_after_max{24 * 3600};     // whatever a server asks for

/// As HTML forms do: space is `+`, all but letters, digits and `*-._` is percent-encoded.
std::string form_encoded(std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain = is_letter(c) || is_digit(c) || c == '*' || c == '-' || c == '.' || c == '_';
        if (plain) {
            out += c;
        } else if (c == ' ') {
            out += '+';
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += digits[byte >> 4U];
            out += digits[byte & 15U];
        }
    }
    return out;
}

HttpRequest request_to(VendorHost host, std::string method, std::string target, std::string_view authorization)
{
    HttpRequest result{std::move(method), std::move(target), {}, {}};
    if (host == VendorHost::opentok)
        result.headers.emplace_back("X-OPENTOK-AUTH", authorization);
    else
        result.headers.emplace_back("Authorization", "Bearer " + std::string{authorization});
    result.headers.emplace_back("Accept", "application/json"); // else the answer is XML
    result.headers.emplace_back("User-Agent", user_agent);
    return result;
}

/// The texts of a JSON object that are for people, each once.
std::string message_of(nlohmann::json const& object)
{
    std::vector<std::string> texts;
    for (char const* const name :
         {"message", "title", "detail", "description", "error", "error_title", "error_description"})
        if (const auto found = object.find(name); found != object.end() && found->is_string())
            if (auto text = found->get<std::string>(); std::find(texts.begin(), texts.end(), text) == texts.end())
                texts.push_back(std::move(text));
    std::string message;
    for (std::string const& text : texts)
        message.append(message.empty() ? "" : ": ").append(text);
    return message;
}

/// What stands between `before` and `after`; empty when it is not there.
std::string between(std::string_view text, std::string_view before, std::string_view after)
{
    const std::size_t begin = text.find(before);
    if (begin == std::string_view::npos)
        return {};
    text.remove_prefix(begin + before.size());
    const std::size_t end = text.find(after);
    return std::string{end == std::string_view::npos ? "" : text.substr(0, end)};
}

/// The vendor's own words, in the forms that its two platforms have had: JSON, and XML in elements or attributes.
std::string message_of(HttpReply const& reply)
{
    const nlohmann::json document = nlohmann::json::parse(reply.body, nullptr, false);
    if (document.is_object())
        return message_of(document);
    if (document.is_array() && !document.empty() && document[0].is_object())
        return message_of(document[0]);
    std::string message = between(reply.body, "<message>", "<");
    return message.empty() ? between(reply.body, "message=\"", "\"") : message;
}

std::string says(std::string_view message, CallContext const& context)
{
    if (message.empty())
        return {};
    std::string said = without_credential(message, context.authorization);
    if (context.secret != nullptr)
        said = without_credential(said, context.secret->unveil().reveal());
    return " and says " + in_quotes(said, message_bytes_max);
}

std::string status_text(HttpReply const& reply, CallContext const& context)
{
    return context.server + " answers " + std::to_string(reply.status) + says(message_of(reply), context);
}

std::string credential_name(CallContext const& context)
{
    return (context.host == VendorHost::opentok ? "API key " : "application ") + context.project_key;
}

std::string clock_sentence(CallContext const& context, std::optional<seconds> ahead, std::string const& why)
{
    std::string text = "this machine's clock is ";
    if (ahead && ahead->count() != 0)
        text += to_text(std::chrono::abs(*ahead)) + " ";
    text += ahead && ahead->count() < 0 ? "behind" : "ahead of";
    return text + " that of " + context.server + ", " + why +
           "; set it by NTP, such as with systemd-timesyncd or chrony";
}

bool is_off(std::optional<seconds> ahead)
{
    return ahead && std::chrono::abs(*ahead) > clock_difference_max;
}

/// Where a new key is to be put, by the kind of credential.
std::string new_key(CallContext const& context)
{
    const std::string key = context.host == VendorHost::opentok ? "api_secret" : "private_key";
    return "the file that " + key + " names and reload usherd, or restart it where " + key +
           " is a credential of systemd's LoadCredential=, which is read at a start only";
}

/// What the vendor's words mean, and the way out.
std::string credential_advice(std::string const& message, CallContext const& context)
{
    const bool opentok = context.host == VendorHost::opentok;
    const auto has = [lower = in_lower_case(message)](std::string_view text) {
        return lower.find(text) != std::string::npos;
    };
    if (has("signature"))
        return opentok ? "the secret is not that of " + credential_name(context) + "; put the current one into " +
                             new_key(context)
                       : "the private key is not that of " + credential_name(context) +
                             "; have a new pair made for the application in the vendor's dashboard and put its private "
                             "key into " +
                             new_key(context);
    if (has("issuer") || has("application_id") || has("application id") || has("application not found"))
        return "it knows no " + credential_name(context) + "; check " + (opentok ? "api_key" : "application_id") +
               ", and base_url";
    if (has("no suitable authentication") || has("invalid token"))
        return opentok
                   ? "it takes no API key and secret; a project of the Vonage dashboard needs provider: vonage with "
                     "application_id and private_key"
                   : "it does not take this kind of credential; check that application_id and private_key belong "
                     "together, and that the project is not one with API key and secret (provider: opentok)";
    return "it refuses the credentials of " + credential_name(context) +
           "; check in the vendor's dashboard that they are current and that the account is not suspended; a new key "
           "goes into " +
           new_key(context);
}

ProviderFailure authentication_failure(HttpReply const& reply, CallContext const& context)
{
    const std::string message = message_of(reply);
    const auto ahead = clock_ahead(reply, context.now);
    const std::string lower = in_lower_case(message);
    if (lower.find("issued time cannot be greater") != std::string::npos || is_off(ahead))
        return {
            FailureKind::authentication, "clock_skewed",
            clock_sentence(context, ahead, "so it refuses what is signed here" + says(message, context)), true};
    const std::string text = status_text(reply, context) + ": ";
    if (lower.find("expired") != std::string::npos)
        return {
            FailureKind::transient, "provider_timeout",
            text + "the request, which is signed for a minute, arrived too late"};
    return {FailureKind::authentication, "credentials_refused", text + credential_advice(message, context), true};
}

ProviderFailure bad_answer(CallContext const& context, std::string const& what, bool may_exist)
{
    return {
        may_exist ? FailureKind::ambiguous : FailureKind::transient, "provider_answer_invalid",
        context.server + " answers 200, but " + what};
}

} // namespace

bool is_path_id(std::string_view id)
{
    constexpr std::string_view of_paths = "/\\?#%";
    return !id.empty() && id.size() <= id_bytes_max && id != "." && id.find("..") == std::string_view::npos &&
           std::all_of(id.begin(), id.end(), [&](char c) {
               return c > ' ' && c < 0x7f && of_paths.find(c) == std::string_view::npos;
           });
}

std::optional<ProviderFailure> check_options(SessionOptions const& options)
{
    if (auto fault = check_session_options(options))
        return ProviderFailure{FailureKind::permanent, "options_invalid", fault->text()};
    return std::nullopt;
}

HttpRequest create_request(VendorHost host, SessionOptions const& options, std::string_view authorization)
{
    HttpRequest result = request_to(host, "POST", "/session/create", authorization);
    result.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    const auto field = [&](std::string_view name, std::string_view value) {
        if (!value.empty())
            result.body.append(result.body.empty() ? "" : "&").append(name).append("=").append(form_encoded(value));
    };
    field("archiveMode", options.archive_mode);
    field("archiveName", options.archive_name);
    field("archiveResolution", options.archive_resolution);
    field("e2ee", options.e2ee ? "true" : "");
    field("location", options.location);
    // Always sent: what is the default differs from one SDK to the next.
    field("p2p.preference", options.media_mode == "relayed" ? "enabled" : "disabled");
    return result;
}

namespace {

/// Of ids that may stand in a path.
std::string path_of(std::string_view project_key, std::string_view session_id)
{
    return "/v2/project/" + form_encoded(project_key) + "/session/" + form_encoded(session_id) + "/connection";
}

} // namespace

HttpRequest list_request(
    VendorHost host, std::string_view project_key, std::string_view session_id, std::size_t offset,
    std::string_view authorization
)
{
    const std::string page = "?offset=" + std::to_string(offset) + "&count=" + std::to_string(connections_of_page);
    return request_to(host, "GET", path_of(project_key, session_id) + page, authorization);
}

HttpRequest disconnect_request(
    VendorHost host, std::string_view project_key, std::string_view session_id, std::string_view connection_id,
    std::string_view authorization
)
{
    return request_to(
        host, "DELETE", path_of(project_key, session_id) + "/" + form_encoded(connection_id), authorization
    );
}

HttpRequest time_request()
{
    HttpRequest result{"HEAD", "/", {}, {}};
    result.headers.emplace_back("User-Agent", user_agent);
    return result;
}

std::optional<seconds> clock_ahead(HttpReply const& reply, sys_seconds now)
{
    const auto date = parse_http_date(reply.header("Date"));
    if (!date)
        return std::nullopt;
    return now - *date;
}

std::optional<ProviderFailure> clock_failure(HttpReply const& reply, CallContext const& context)
{
    const auto ahead = clock_ahead(reply, context.now);
    if (!is_off(ahead))
        return std::nullopt;
    return ProviderFailure{
        FailureKind::authentication, "clock_skewed",
        clock_sentence(context, ahead, "so tokens signed here would be refused or expire at the wrong time"), true};
}

tl::expected<std::string, ProviderFailure> read_created(HttpReply const& reply, CallContext const& context)
{
    if (reply.status != 200)
        return tl::unexpected{refusal_of(reply, context)};
    if (auto skewed = clock_failure(reply, context)) {
        skewed->made = true;
        return tl::unexpected{std::move(*skewed)};
    }
    if (reply.body.empty())
        return tl::unexpected{bad_answer(context, "nothing with it", true)};
    if (reply.body.find_first_not_of(" \t\r\n") != std::string::npos &&
        reply.body[reply.body.find_first_not_of(" \t\r\n")] == '<')
        return tl::unexpected{
            bad_answer(context, "in XML or HTML instead of JSON; is base_url that of the vendor?", true)};
    const nlohmann::json document = nlohmann::json::parse(reply.body, nullptr, false);
    if (document.is_discarded())
        return tl::unexpected{bad_answer(context, "what it sends is not JSON", true)};
    if (!document.is_array() || document.empty() || !document[0].is_object())
        return tl::unexpected{bad_answer(context, "it made no session: the answer is not a list with one", false)};
    const auto id = document[0].find("session_id");
    if (id == document[0].end() || !id->is_string() || id->get_ref<std::string const&>().empty())
        return tl::unexpected{bad_answer(context, "it made no session: the answer has no session_id", false)};
    auto const& text = id->get_ref<std::string const&>();
    // Of the JWT the signature alone is secret: a session's id has the project's key in it, as the JWT has.
    const std::string_view jwt = context.authorization;
    const bool is_our_own = holds_credential(text, jwt.substr(jwt.rfind('.') + 1)) ||
                            (context.secret != nullptr && holds_credential(text, context.secret->unveil().reveal()));
    if (!is_path_id(text) || is_our_own)
        return tl::unexpected{
            bad_answer(context, "the session id is longer than 255 bytes, or not one that may stand in a path", true)};
    if (is_of_another_project(text, context.project_key))
        return tl::unexpected{bad_answer(context, "the session is that of another project", true)};
    return text;
}

tl::expected<ConnectionPage, ProviderFailure> read_connections(HttpReply const& reply, CallContext const& context)
{
    ConnectionPage page;
    if (reply.status == 404)
        return page;
    if (reply.status != 200)
        return tl::unexpected{refusal_of(reply, context)};
    const nlohmann::json document = nlohmann::json::parse(reply.body, nullptr, false);
    const auto items = document.is_object() ? document.find("items") : document.end();
    if (!document.is_object() || items == document.end() || !items->is_array())
        return tl::unexpected{bad_answer(context, "without a list of connections", false)};
    page.listed = std::min(items->size(), connections_of_page);
    for (std::size_t i = 0; i < page.listed; ++i) {
        nlohmann::json const& item = (*items)[i];
        const auto text = [&](char const* name) {
            const auto found = item.is_object() ? item.find(name) : item.end();
            return item.is_object() && found != item.end() && found->is_string() ? found->get<std::string>() : "";
        };
        if (text("connectionState") == "Disconnected")
            continue;
        if (std::string id = text("connectionId"); is_path_id(id))
            page.connected.push_back(std::move(id));
        else
            ++page.unusable;
    }
    return page;
}

ProviderFailure refusal_of(HttpReply const& reply, CallContext const& context)
{
    const std::string text = status_text(reply, context);
    switch (reply.status) {
    case 401:
    case 403: return authentication_failure(reply, context);
    case 404:
        return {
            FailureKind::permanent, "provider_not_found",
            text + ": there is no such service there; check the project's base_url", true};
    case 408:
    case 409:
    case 423:
    case 425: return {FailureKind::transient, "provider_error", text};
    case 429:
        return {
            FailureKind::quota, "provider_quota", text + ": too many requests; lower the project's rate", true,
            parse_retry_after(reply.header("Retry-After"), context.now)};
    case 502:
    case 504: // a gateway speaks; what stands behind it may have done the work
        return {FailureKind::ambiguous, "provider_error", text};
    default: break;
    }
    if (reply.status >= 500)
        return {
            FailureKind::transient, "provider_error", text, false,
            parse_retry_after(reply.header("Retry-After"), context.now)};
    if (reply.status >= 300 && reply.status < 400)
        return {
            FailureKind::permanent, "provider_redirects",
            text + ": usher does not follow redirections; check the project's base_url", true};
    if (reply.status == 402)
        return {FailureKind::permanent, "provider_refused", text + ": see to the vendor's account", true};
    if (reply.status == 400 || reply.status == 422)
        return {FailureKind::permanent, "provider_refused", text};
    if (reply.status >= 400)
        return {
            FailureKind::permanent, "provider_not_found",
            text + ": the vendor's service does not answer so; check the project's base_url, and what is on the way",
            true};
    return {FailureKind::ambiguous, "provider_answer_invalid", text + ", which no call of ours leads to"};
}

ProviderFailure failure_of(HttpFailure const& failure)
{
    const FailureKind kind = failure.sent ? FailureKind::ambiguous : FailureKind::transient;
    if (failure.timed_out)
        return {kind, "provider_timeout", failure.message};
    switch (failure.stage) {
    case HttpStage::resolve: return {kind, "provider_host_unknown", failure.message, true};
    case HttpStage::proxy: return {kind, "provider_proxy", failure.message, true};
    case HttpStage::tls: return {kind, "provider_tls", failure.message};
    case HttpStage::answer: return {kind, "provider_answer_invalid", failure.message};
    case HttpStage::connect:
    case HttpStage::exchange: break;
    }
    return {kind, "provider_unreachable", failure.message};
}

std::optional<seconds> parse_retry_after(std::string_view text, sys_seconds now)
{
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (!text.empty() && end == text.data() + text.size()) {
        if (error == std::errc::result_out_of_range)
            return retry_after_max;
        if (error == std::errc{} && number >= 0)
            return std::min(seconds{number}, retry_after_max);
        return std::nullopt;
    }
    const auto date = parse_http_date(text);
    if (!date)
        return std::nullopt;
    return std::clamp(*date - now, seconds{0}, retry_after_max);
}

std::optional<sys_seconds> parse_http_date(std::string_view text)
{
    // IMF-fixdate, the one form that RFC 9110 lets servers send: always 29 characters.
    constexpr std::string_view form = "www, dd mmm yyyy HH:MM:SS GMT";
    constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (text.size() != form.size() || text.substr(3, 2) != ", " || text.substr(25) != " GMT")
        return std::nullopt;
    const auto month = std::find(months.begin(), months.end(), text.substr(8, 3));
    if (month == months.end())
        return std::nullopt;
    std::string iso{text.substr(12, 4)};
    const auto number = static_cast<int>(month - months.begin()) + 1;
    iso += number < 10 ? "-0" : "-";
    iso += std::to_string(number);
    iso.append("-").append(text.substr(5, 2)).append("T").append(text.substr(17, 8)).append("Z");
    const auto instant = parse_iso8601(iso);
    if (!instant)
        return std::nullopt;
    return *instant;
}

} // namespace usher
