// SPDX-License-Identifier: Apache-2.0
#include "vendor/control.hpp"

#include <stdexcept>

#include <nlohmann/json.hpp>

namespace usher::vendor {

namespace {

using Json = nlohmann::ordered_json;

HttpReply reply_of(int status, Json const& json)
{
    HttpReply reply;
    reply.status = status;
    reply.headers.emplace_back("Content-Type", "application/json");
    reply.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return reply;
}

std::int64_t unix_ms(Instant instant)
{
    return instant.time_since_epoch().count();
}

/// Pairs, since a name may be there more than once.
Json json_of(Fields const& fields)
{
    Json json = Json::array();
    for (auto const& [name, value] : fields)
        json.push_back(Json::array({name, value}));
    return json;
}

Json json_of(SessionRecord const& session)
{
    Json connections = Json::array();
    for (Connection const& connection : session.connections)
        connections.push_back(connection.id);
    return {
        {"id", session.id},
        {"project_key", session.project_key},
        {"created_ms", unix_ms(session.created)},
        {"fields", json_of(session.fields)},
        {"connections", std::move(connections)},
    };
}

Json json_of(RequestRecord const& record)
{
    return {
        {"time_ms", unix_ms(record.time)}, {"method", record.request.method},
        {"target", record.request.target}, {"status", record.status},
        {"fault", to_text(record.fault)},  {"headers", json_of(record.request.headers)},
        {"body", record.request.body},
    };
}

template <class Records>
Json list_of(Records const& records)
{
    Json list = Json::array();
    for (auto const& record : records)
        list.push_back(json_of(record));
    return list;
}

FaultKind fault_kind_of(std::string const& name)
{
    const auto kind = parse_fault_kind(name);
    if (!kind)
        throw std::invalid_argument{"unknown fault " + name};
    return *kind;
}

Fault fault_of(Json const& json)
{
    if (json.is_string())
        return fault_of(fault_kind_of(json.get<std::string>()));
    Fault fault = fault_of(fault_kind_of(json.at("kind").get<std::string>()));
    fault.delay = milliseconds{json.value("delay_ms", fault.delay.count())};
    fault.retry_after = seconds{json.value("retry_after", fault.retry_after.count())};
    fault.retry_after_is_date = json.value("retry_after_is_date", fault.retry_after_is_date);
    fault.skew = seconds{json.value("skew", fault.skew.count())};
    return fault;
}

Outage outage_of(Json const& json)
{
    if (json.is_boolean())
        return json.get<bool>() ? Outage::unavailable : Outage::none;
    if (json == "refused")
        return Outage::refused;
    throw std::invalid_argument{"outage is true, false or \"refused\""};
}

void script_faults(Behaviour& behaviour, Json const& json)
{
    Behaviour changed = behaviour;
    for (auto const& [name, value] : json.items()) {
        if (name == "chance") {
            changed.chance = value.get<double>();
        } else if (name == "outage") {
            changed.outage = outage_of(value);
        } else if (name == "kinds") {
            changed.by_chance.clear();
            for (Json const& fault : value)
                changed.by_chance.push_back(fault_of(fault));
        } else if (name == "next") {
            changed.next.clear();
            for (Json const& fault : value)
                changed.next.push_back(fault_of(fault));
        } else {
            throw std::invalid_argument{"unknown name " + name};
        }
    }
    behaviour = std::move(changed);
}

HttpReply ask(Vendor const& vendor, std::string_view what)
{
    if (what == "sessions")
        return reply_of(200, list_of(vendor.sessions()));
    if (what == "requests")
        return reply_of(200, list_of(vendor.requests()));
    if (what == "counts")
        return reply_of(
            200,
            {
                {"sessions", vendor.sessions().size()},
                {"requests", vendor.requests().size()},
                {"tunnels", vendor.tunnels().size()},
                {"refused_connections", vendor.refused_connections()},
            }
        );
    return reply_of(404, {{"message", "Not Found"}});
}

HttpReply order(Vendor& vendor, std::string_view what, Json const& json, Instant now)
{
    if (what == "faults") {
        script_faults(vendor.behaviour, json);
    } else if (what == "clock") {
        vendor.behaviour.clock_offset = seconds{json.at("offset").get<seconds::rep>()};
    } else if (what == "certificate") {
        const auto kind = parse_certificate(json.at("kind").get<std::string>());
        if (!kind)
            throw std::invalid_argument{"unknown certificate"};
        vendor.behaviour.certificate = *kind;
    } else if (what == "connections") {
        const auto id = vendor.connect(json.at("session_id").get<std::string>(), now);
        if (!id)
            return reply_of(404, {{"message", "Session not found"}});
        return reply_of(200, {{"connection_id", *id}});
    } else {
        return reply_of(404, {{"message", "Not Found"}});
    }
    return reply_of(200, Json::object());
}

HttpReply answer(Vendor& vendor, HttpRequest const& request, Instant now)
{
    const std::string_view what = std::string_view{request.target}.substr(control_prefix.size());
    if (request.method == "GET")
        return ask(vendor, what);
    if (request.method != "POST")
        return reply_of(404, {{"message", "Not Found"}});
    try {
        return order(vendor, what, Json::parse(request.body), now);
    } catch (nlohmann::json::exception const& error) {
        return reply_of(400, {{"message", error.what()}});
    } catch (std::invalid_argument const& error) {
        return reply_of(400, {{"message", error.what()}});
    }
}

} // namespace

HttpReply control(Vendor& vendor, HttpRequest const& request, Instant now)
{
    HttpReply reply = answer(vendor, request, now);
    reply.headers.emplace_back("Date", http_date(now + vendor.behaviour.clock_offset));
    return reply;
}

} // namespace usher::vendor
