// SPDX-License-Identifier: Apache-2.0
// What usherctl says of the configuration itself.
#include <algorithm>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/config/describe.hpp>
#include <usher/config/load.hpp>
#include <usher/provider/kinds.hpp>

#include "support/temp_dir.hpp"
#include "support/usherctl.hpp"

namespace usher::ctl {
namespace {

using nlohmann::json;
using test::Answer;

class ConfigCommand : public testing::Test {
protected:
    Answer call(std::string const& yaml, std::vector<std::string> words) const
    {
        std::ofstream{folder.file("usher.yaml")} << yaml;
        words.insert(words.begin(), {"--config", folder.file("usher.yaml")});
        return test::call_usherctl(std::move(words));
    }

    test::TempDir folder;
};

TEST_F(ConfigCommand, DiffHasWhatIsNotTheDefault)
{
    EXPECT_EQ(
        call("projects: {default: {provider: sandbox}}\n", {"config", "diff"}).out, "All keys have their defaults.\n"
    );
    EXPECT_EQ(
        call("projects: {default: {provider: sandbox}}\ntokens: {visible: at_opens, grace: 15m}\n", {"config", "diff"})
            .out,
        "1 key differs from its default.\ntokens.visible at_once -> at_opens\n"
    );
    const std::string yaml = "database: mine.db\n"
                             "projects: {default: {provider: opentok, api_key: \"1\", api_secret: {file: a.secret}, "
                             "rate: 7}, other: {provider: sandbox, api_secret: {file: b.secret}}}\n"
                             "tokens: {early_join: {moderator: 30m, default: 5m}, rotation_margin: 1h}\n"
                             "retention: 7d\nlog: {level: debug}\nstatus: {listen: 127.0.0.1:9787}\n";
    const Answer answer = call(yaml, {"config", "diff"});
    EXPECT_EQ(
        answer.out, "11 keys differ from their defaults.\n"
                    "database                    /var/lib/usher/usher.db -> " +
                        folder.file("mine.db") +
                        "\n"
                        "projects.default.provider   none -> opentok\n"
                        "projects.default.api_key    none -> 1\n"
                        "projects.default.api_secret none -> " +
                        folder.file("a.secret") +
                        "\n"
                        "projects.default.rate       5 -> 7\n"
                        "projects.other.api_secret   none -> " +
                        folder.file("b.secret") +
                        "\n"
                        "tokens.early_join           15m -> {moderator: 30m, default: 5m}\n"
                        "tokens.rotation_margin      a third of max_token_life -> 1h\n"
                        "retention                   30d -> 7d\n"
                        "log.level                   info -> debug\n"
                        "status.listen               off -> 127.0.0.1:9787\n"
    ) << answer.err;
    EXPECT_EQ(answer.status, 0);
    const json document = call(yaml, {"config", "diff", "--json"}).json();
    EXPECT_EQ(document.at("keys").at("total"), 11);
    EXPECT_EQ(
        document.at("keys").at("items").at(3),
        (json{{"key", "projects.default.api_secret"}, {"default", nullptr}, {"value", folder.file("a.secret")}})
    );
    EXPECT_EQ(call(yaml, {"config"}).status, 2);
}

/// Of a schema: what refuses `value`, or nothing. Knows what our own schema is made of.
std::string fault_of(json const& value, json const& schema, json const& root, std::string const& at = "")
{
    if (schema.contains("$ref"))
        return fault_of(value, root.at(json::json_pointer{schema.at("$ref").get<std::string>().substr(1)}), root, at);
    if (schema.contains("oneOf")) {
        int fits = 0;
        for (json const& one : schema.at("oneOf"))
            fits += fault_of(value, one, root, at).empty() ? 1 : 0;
        return fits == 1 ? "" : at + ": fits " + std::to_string(fits);
    }
    if (schema.contains("enum") &&
        !std::any_of(schema.at("enum").begin(), schema.at("enum").end(), [&](auto const& word) {
            return word == value;
        }))
        return at + ": is no word";
    if (schema.contains("pattern") &&
        !(value.is_string() &&
          std::regex_search(value.get<std::string>(), std::regex{schema.at("pattern").get<std::string>()})))
        return at + ": has another form";
    if (schema.contains("minimum") && (value < schema.at("minimum") || value > schema.at("maximum")))
        return at + ": is out of range";
    if (!schema.contains("properties") && !schema.contains("additionalProperties"))
        return "";
    if (!value.is_object())
        return at + ": is no map";
    const json required = schema.value("required", json::array());
    for (json const& name : required)
        if (!value.contains(name.get<std::string>()))
            return at + ": lacks " + name.get<std::string>();
    for (auto const& [name, own] : value.items()) {
        const json properties = schema.value("properties", json::object());
        json inner;
        if (properties.contains(name))
            inner = properties.at(name);
        else if (schema.at("additionalProperties").is_object())
            inner = schema.at("additionalProperties");
        else
            return at + "." + name + ": is unknown";
        if (std::string fault = fault_of(own, inner, root, at + "." + name); !fault.empty())
            return fault;
    }
    return "";
}

/// The example's lines that count, as a document: two levels of maps, and the keys of its one project.
json example()
{
    std::ifstream in{USHER_SOURCE_DIR "/config/usher.example.yaml"};
    json document = json::object();
    std::string section;
    const std::regex key{R"(^( *)([a-z_]+): *(.*)$)"};
    for (std::string line; std::getline(in, line);) {
        std::smatch match;
        if (!std::regex_match(line, match, key))
            continue;
        const std::string name = match[2];
        std::string value = match[3];
        if (value.starts_with('"'))
            value = value.substr(1, value.size() - 2);
        if (match[1].length() == 0 && value.empty())
            document[section = name] = json::object();
        else if (match[1].length() == 0)
            document[name] = value;
        else if (match[1].length() == 2 && !value.empty())
            document[section][name] = value == "true" || value == "false" ? json(value == "true") : json(value);
        else if (match[1].length() == 4)
            document[section]["default"][name] = value;
    }
    return document;
}

TEST_F(ConfigCommand, TheSchemaHasEveryKeyAndTakesTheExample)
{
    const Answer answer = test::call_usherctl({"config", "schema"});
    EXPECT_EQ(answer.status, 0) << answer.err;
    const json schema = answer.json();
    EXPECT_EQ(schema.at("$schema"), "https://json-schema.org/draft/2020-12/schema");

    for (std::string const& key : configuration_keys(declarations_of())) {
        SCOPED_TRACE(key);
        const auto dot = key.find('.');
        json const& properties = schema.at("properties");
        if (dot == std::string::npos)
            EXPECT_TRUE(properties.contains(key));
        else if (key.starts_with("projects."))
            EXPECT_TRUE(schema.at("$defs").at("project").at("properties").contains(key.substr(dot + 1)));
        else
            EXPECT_TRUE(properties.at(key.substr(0, dot)).at("properties").contains(key.substr(dot + 1)));
    }
    for (KeyDescription const& key : describe_keys(declarations_of()))
        EXPECT_FALSE(key.about.empty()) << key.section << "." << key.name;

    const json document = example();
    ASSERT_EQ(document.at("projects").at("default").at("provider"), "sandbox") << document;
    ASSERT_EQ(document.at("tokens").at("lead"), "1h") << document;
    EXPECT_EQ(fault_of(document, schema, schema), "") << document;
    json const& rate = schema.at("$defs").at("project").at("properties").at("rate");
    EXPECT_EQ(rate.at("minimum"), 1);
    EXPECT_EQ(rate.at("maximum"), 10'000);
    EXPECT_EQ(rate.at("default"), 5);
    EXPECT_EQ(schema.at("properties").at("tokens").at("properties").at("grace").at("default"), "15m");
    EXPECT_EQ(answer.out.find("c0ffee"), std::string::npos) << "a secret, though a public one";

    const auto refuses = [&](std::string const& pointer, json const& value) {
        json wrong = document;
        wrong[json::json_pointer{pointer}] = value;
        EXPECT_NE(fault_of(wrong, schema, schema), "") << pointer << " " << value;
    };
    refuses("/tokens/grase", "15m");
    refuses("/tokens/grace", "soon");
    refuses("/projects/default/rate", 0);
    refuses("/projects/default/api_secret", "secret");
    refuses("/projects/default/provider", "other");
    refuses("/log/level", "loud");
}

} // namespace
} // namespace usher::ctl
