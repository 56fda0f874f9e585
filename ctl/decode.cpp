// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <istream>
#include <memory>
#include <span>

#include <usher/core/ascii.hpp>
#include <usher/core/token.hpp>
#include <usher/provider/kinds.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "page.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

constexpr std::size_t input_max = 1024 * 1024;
constexpr std::size_t key_shown = 6;
constexpr seconds life_max{30 * 86400};
constexpr seconds usual_life{86400}; // where a token names no end

std::string read_token(std::istream& in)
{
    std::string text(input_max, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    constexpr auto space = " \t\r\n";
    const auto begin = text.find_first_not_of(space);
    return begin == std::string::npos ? std::string{} : text.substr(begin, text.find_last_not_of(space) + 1 - begin);
}

struct Signature {
    enum class Validity : std::uint8_t { good, bad, unchecked } validity = Validity::unchecked;
    std::string by; ///< `key 9c1d07 of default`; where it was not checked, why.
};

/// Without its full stop.
std::string sentence_of(Failure const& failure)
{
    const bool stops = !failure.message.empty() && failure.message.back() == '.';
    return failure.message.substr(0, failure.message.size() - (stops ? 1 : 0));
}

Signature check(Config const& config, DecodedToken const& decoded, std::string const& token)
{
    Signature result{Signature::Validity::unchecked, "no configured project has the key " + whole(decoded.project_key)};
    for (ProjectConfig const& project : config.projects) {
        if (project.project_key() != decoded.project_key)
            continue;
        const auto signer = project.signer(decoded.format);
        if (!signer) {
            result.by = "project " + whole(project.name) + ": " + signer.error().message;
            continue;
        }
        result.by = "key " + std::string{signer->key_id().substr(0, key_shown)} + " of " + whole(project.name);
        result.validity = signer->verify(token) ? Signature::Validity::good : Signature::Validity::bad;
        if (result.validity == Signature::Validity::good)
            break;
    }
    return result;
}

/// Without a configuration a token can still be read.
Signature check(Context& context, DecodedToken const& decoded, std::string const& token)
{
    if (!context.config_path.empty() || !context.database_path.empty())
        return check(context.config_with_keys(), decoded, token);
    try {
        return check(context.config_with_keys(), decoded, token);
    } catch (UsageError const&) {
        return {Signature::Validity::unchecked, "there is no configuration to take a key from; use --config FILE"};
    }
}

enum class Judgement : std::uint8_t { good, expired, bad, unchecked };

struct Judged {
    Judgement judgement;
    std::string sentence;
};

std::optional<sys_seconds> instant(std::optional<std::int64_t> value)
{
    constexpr std::int64_t year_5138 = 100'000'000'000; // from there on a time is not in seconds
    return value && *value >= 0 && *value < year_5138 ? std::optional{from_unix(*value)} : std::nullopt;
}

bool is_none(std::string_view algorithm)
{
    constexpr std::string_view none = "none";
    return std::equal(algorithm.begin(), algorithm.end(), none.begin(), none.end(), [](char a, char b) {
        return in_lower_case(a) == b;
    });
}

/// `HS256 and RS256`.
std::string all_of(std::span<std::string_view const> algorithms)
{
    std::string text;
    for (std::size_t i = 0; i < algorithms.size(); ++i)
        text.append(i == 0 ? "" : i + 1 == algorithms.size() ? " and " : ", ").append(algorithms[i]);
    return text;
}

/// Whether the vendor would let somebody in with it, now.
Judged judge(DecodedToken const& token, Signature const& signature, Times const& times)
{
    const auto bad = [](std::string why) { return Judged{Judgement::bad, "Bad: " + std::move(why) + "."}; };
    if (is_none(token.algorithm))
        return bad("alg is none: nobody signed it, and the vendor refuses it");
    const auto taken = token.format.declared().algorithms;
    if (std::find(taken.begin(), taken.end(), token.algorithm) == taken.end())
        return bad(
            (token.algorithm.empty() ? "it names no alg" : "alg is " + whole(token.algorithm)) + ": the vendor takes " +
            all_of(taken) + " only"
        );
    if (signature.validity == Signature::Validity::bad)
        return bad("it is not signed by " + signature.by);
    const auto issued = instant(token.issued_at);
    auto expires = instant(token.expires_at);
    if (!issued)
        return bad(token.issued_at ? "the time of its issue is not in seconds" : "it does not say when it was issued");
    if (!expires && token.expires_at)
        return bad("its end is not in seconds");
    expires = expires.value_or(*issued + usual_life);
    if (*expires - *issued > life_max)
        return bad("it lives for " + span_text(*expires - *issued) + ": the vendor refuses more than 30d");
    if (*issued > times.now())
        return bad("it is issued in the future, " + times.relative(*issued) + ": the vendor refuses it until then");
    const bool good = signature.validity == Signature::Validity::good;
    if (*expires <= times.now())
        return {
            Judgement::expired, "Expired: it worked until " + times.relative(*expires) + "; signature " +
                                    (good ? "good." : "not checked.")};
    if (!good)
        return {
            Judgement::unchecked,
            "Unchecked: " + signature.by + "; it says that it works until " + times.relative(*expires) + "."};
    return {Judgement::good, "Good: signed by " + signature.by + "; works until " + times.relative(*expires) + "."};
}

std::vector<std::string> notes_of(DecodedToken const& token)
{
    std::vector<std::string> notes = token.notes;
    if (!token.expires_at)
        notes.emplace_back("It names no end: the vendor ends it 24h after its issue.");
    return notes;
}

void print_decoded(Page& page, DecodedToken const& token, Judged const& judged, Times const& times)
{
    page.sentence(judged.sentence);
    std::string text = std::string{token.format.id()};
    if (token.format.declared().algorithms.size() > 1)
        text += " " + whole(token.algorithm);
    if (!token.role.empty())
        text += ", " + whole(token.role);
    if (const auto issued = instant(token.issued_at))
        text += ", issued " + times.relative(*issued);
    page.line("token", text);
    page.line("session", whole(token.session_id));
    page.line("project", whole(token.project_key));
    if (!token.connection_data.empty())
        page.line("data", prose(token.connection_data));
    if (!token.layout_classes.empty())
        page.line("classes", prose(token.layout_classes));
    for (auto const& [name, value] : token.fields)
        page.line("field", whole(name) + " = " + prose(value));
    for (std::string const& note : notes_of(token))
        page.line("note", prose(note));
}

Json json_of_decoded(DecodedToken const& token, Signature const& signature, Judged const& judged, sys_seconds now)
{
    Json document = answer("decode", now);
    document["verdict"] = judged.judgement == Judgement::good      ? "good"
                          : judged.judgement == Judgement::expired ? "expired"
                          : judged.judgement == Judgement::bad     ? "bad"
                                                                   : "unchecked";
    document["sentence"] = unbound(judged.sentence);
    document["format"] = std::string{token.format.id()};
    document["algorithm"] = token.algorithm;
    document["signature"] = signature.validity == Signature::Validity::good  ? "valid"
                            : signature.validity == Signature::Validity::bad ? "invalid"
                                                                             : "not_checked";
    document["signature_detail"] = unbound(signature.by);
    document["project_key"] = token.project_key;
    document["session_id"] = token.session_id;
    document["role"] = token.role;
    document["issued_at"] = json_of(instant(token.issued_at));
    document["expires_at"] = json_of(instant(token.expires_at));
    document["connection_data"] = token.connection_data;
    document["layout_classes"] = token.layout_classes;
    document["fields"] = Json::array(); // a name may come twice
    for (auto const& [name, value] : token.fields)
        document["fields"].push_back(Json{{"name", name}, {"value", value}});
    document["notes"] = notes_of(token);
    return document;
}

int decode(Context& context, std::vector<std::string> const& arguments)
{
    if (!arguments.empty())
        throw UsageError{"decode reads the token from standard input: an argument would show in the process list"};
    const std::string token = read_token(context.in);
    if (token.empty())
        throw UsageError{"decode found no token on standard input"};
    const auto decoded = decode_token(token, formats_of(declarations_of()));
    if (!decoded)
        return cannot(context, "decode", {"token_malformed", sentence_of(decoded.error())});
    const Times times{context.now(), context.local};
    const Signature signature = check(context, *decoded, token);
    const Judged judged = judge(*decoded, signature, times);
    if (context.json) {
        print(context.out, json_of_decoded(*decoded, signature, judged, times.now()));
    } else {
        Page page = context.page();
        print_decoded(page, *decoded, judged, times);
    }
    return judged.judgement == Judgement::good ? exit_done : exit_could_not;
}

} // namespace

void add_decode(CLI::App& app, Context& context)
{
    const std::string summary = "Say whether a token from standard input works, and what is in it";
    const std::string example = "usherctl decode < token.txt";
    Command command{app, context, "decode", summary, example};
    command.help( // CLI11's own would show the token
        summary + "\nUsage: usherctl decode [OPTIONS] < FILE\n", "\nExample:\n  " + example + "\n"
    );
    const auto arguments = std::make_shared<std::vector<std::string>>();
    command.takes_in_secret("token", *arguments); // only to refuse it with the reason
    command.action([&context, arguments] { return decode(context, *arguments); });
}

} // namespace usher::ctl
