// SPDX-License-Identifier: Apache-2.0
// What an operator asks of the configuration itself.
#include <algorithm>
#include <string>

#include <usher/config/describe.hpp>
#include <usher/core/role.hpp>
#include <usher/provider/kinds.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace usher::ctl {
namespace {

Json reference(char const* definition)
{
    return Json{{"$ref", std::string{"#/$defs/"} + definition}};
}

Json map_of(Json properties)
{
    Json map = Json::object();
    map["type"] = "object";
    map["additionalProperties"] = false;
    map["properties"] = std::move(properties);
    return map;
}

/// `true` and `false` are no texts.
Json as_yaml_has_it(std::string_view word)
{
    return word == "true" || word == "false" ? Json(word == "true") : Json(word);
}

/// What may stand at a key, for an editor.
Json schema_of(KeyDescription const& key)
{
    Json schema = Json::object();
    std::string about = key.about;
    switch (key.form) {
    case KeyForm::text: schema["type"] = {"string", "integer"}; break; // an API key may stand there without quotes
    case KeyForm::url:
        schema["type"] = "string";
        schema["pattern"] = "^" + key.scheme + "://";
        break;
    case KeyForm::path: schema["type"] = "string"; break;
    case KeyForm::duration: schema = reference("duration"); break;
    case KeyForm::role_durations: schema = reference("role_durations"); break;
    case KeyForm::number:
        schema["type"] = "integer";
        schema["minimum"] = *key.least;
        schema["maximum"] = *key.most;
        break;
    case KeyForm::choice:
        schema["enum"] = Json::array();
        for (const std::string_view word : key.words)
            schema["enum"].push_back(as_yaml_has_it(word));
        break;
    case KeyForm::secret: schema = reference("secret"); break;
    }
    if (!key.range.empty())
        about += " " + key.range + ".";
    schema["description"] = about;
    if (key.standard && key.form == KeyForm::number)
        schema["default"] = std::stoll(*key.standard);
    else if (key.standard)
        schema["default"] = as_yaml_has_it(*key.standard);
    return schema;
}

Json definitions()
{
    Json duration = Json::object();
    duration["type"] = "string";
    duration["pattern"] = "^[0-9]+[smhd]$";
    Json doors = Json::object();
    doors["default"] = reference("duration");
    for (const Role role : {Role::subscriber, Role::publisher, Role::publisheronly, Role::moderator})
        doors[std::string{to_text(role)}] = reference("duration");
    Json role_durations = Json::object();
    role_durations["oneOf"] = Json::array({reference("duration"), map_of(doors)});
    Json secret = Json::object();
    secret["oneOf"] = Json::array();
    for (char const* const source : {"file", "credential"}) {
        Json properties = Json::object();
        properties[source] = Json{{"type", "string"}};
        Json place = map_of(properties);
        place["required"] = Json::array({source});
        secret["oneOf"].push_back(place);
    }
    return Json{{"duration", duration}, {"role_durations", role_durations}, {"secret", secret}};
}

/// What a provider cannot do without.
Json needs_of(ProviderDeclaration const& kind)
{
    Json required = Json::array();
    for (KeyDeclaration const& key : kind.credentials)
        if (key.required)
            required.push_back(key.name);
    Json rule = Json::object();
    rule["if"] = Json{{"properties", {{"provider", {{"const", kind.name}}}}}, {"required", {"provider"}}};
    rule["then"] = Json{{"required", required}};
    return rule;
}

Json configuration_schema(ProviderDeclarations const& kinds)
{
    Json root = Json::object();
    Json sections = Json::object();
    for (KeyDescription const& key : describe_keys(kinds))
        (key.section.empty() ? root : sections[key.section])[key.name] = schema_of(key);
    Json project = map_of(sections["projects"]);
    project["required"] = Json::array({"provider"});
    project["allOf"] = Json::array();
    for (ProviderDeclaration const* const kind : kinds)
        project["allOf"].push_back(needs_of(*kind));
    Json projects = Json::object();
    projects["type"] = "object";
    projects["description"] = "The vendor projects that meetings name in their column project.";
    projects["minProperties"] = 1;
    projects["propertyNames"] = Json{{"pattern", "^[A-Za-z0-9_.-]{1,64}$"}};
    projects["additionalProperties"] = reference("project");
    root["projects"] = projects;
    for (auto const& [name, keys] : sections.items())
        if (name != "projects")
            root[name] = map_of(keys);
    Json schema = Json::object();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    schema["title"] = "usher.yaml";
    schema.update(map_of(root));
    schema["required"] = Json::array({"projects"});
    schema["$defs"] = definitions();
    schema["$defs"]["project"] = project;
    return schema;
}

int config_schema(Context& context)
{
    print(context.out, configuration_schema(declarations_of()));
    return exit_done;
}

int config_diff(Context& context)
{
    const std::vector<KeyDifference> found = differences(context.config());
    const auto count = static_cast<std::int64_t>(found.size());
    const std::string sentence = found.empty() ? "All keys have their defaults."
                                               : counted(count, "key") + (count == 1 ? " differs from its default."
                                                                                     : " differ from their defaults.");
    if (context.json) {
        Json items = Json::array();
        for (KeyDifference const& key : found)
            items.push_back(
                {{"key", key.key}, {"default", json_or_null(key.standard)}, {"value", json_or_null(key.value)}}
            );
        Json document = answer("config diff", context.now());
        document["sentence"] = sentence;
        document["keys"] = {{"total", found.size()}, {"items", std::move(items)}};
        print(context.out, document);
        return exit_done;
    }
    Page page = context.page();
    page.sentence(sentence);
    std::size_t width = 0;
    for (KeyDifference const& key : found)
        width = std::max(width, key.key.size());
    const auto shown = [](std::string const& value) { return value.empty() ? std::string{"none"} : whole(value); };
    for (KeyDifference const& key : found)
        page.line(key.key + std::string(width - key.key.size(), ' '), shown(key.standard) + " -> " + shown(key.value));
    return exit_done;
}

} // namespace

void add_config(CLI::App& app, Context& context)
{
    Command command{
        app, context, "config", "What there is to say of the configuration: diff, schema", "usherctl config diff"};
    command.action([]() -> int { throw UsageError{"config needs a command: diff or schema"}; });
    Command diff = command.add_below(
        "diff", "Keys that differ from their defaults; of secrets, where they are", "usherctl config diff"
    );
    diff.action([&context] { return config_diff(context); });
    Command schema = command.add_below(
        "schema", "A JSON Schema of the configuration, for editors", "usherctl config schema > usher.schema.json"
    );
    schema.action([&context] { return config_schema(context); });
}

} // namespace usher::ctl
