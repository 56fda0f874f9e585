// SPDX-License-Identifier: Apache-2.0
#include "simulation/faults.hpp"

#include <chrono>
#include <cstddef>
#include <iterator>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

} // namespace

void Faults::outage()
{
    tell("the vendor is away");
    if (dice_.one_in(2))
        world_.network.vendor.behaviour.outage = dice_.some({vendor::Outage::unavailable, vendor::Outage::refused});
    else
        world_.network.way_is_broken = true;
    world_.end_after(some_time(1min, 90min), outage_no_, [this] {
        end_outage();
        world_.story.tell("the vendor is back");
    });
}

void Faults::end_outage()
{
    world_.network.vendor.behaviour.outage = vendor::Outage::none;
    world_.network.way_is_broken = false;
}

void Faults::answer_oddly()
{
    tell("some answers are odd");
    for (int i = 0; i < 5; ++i)
        world_.network.odd.push_back(odd_answers()[static_cast<std::size_t>(dice_.below(std::ssize(odd_answers())))]);
    world_.end_after(some_time(1h, 6h), odd_no_, [this] { world_.network.odd.clear(); });
}

void Faults::chance_failures()
{
    tell("the vendor fails by chance");
    vendor::Behaviour& behaviour = world_.network.vendor.behaviour;
    behaviour.chance = static_cast<double>(dice_.between(2, 9)) / 10;
    behaviour.by_chance.clear();
    using Fault = vendor::FaultKind;
    for (const Fault kind :
         {Fault::delay, Fault::too_many, Fault::server_error, Fault::bad_gateway, Fault::unavailable,
          Fault::gateway_timeout, Fault::reset_connect, Fault::reset_before, Fault::reset_after, Fault::half_body,
          Fault::wrong_type, Fault::xml, Fault::empty_array, Fault::missing_id, Fault::skewed_date, Fault::echo})
        if (dice_.one_in(3))
            behaviour.by_chance.push_back(vendor::fault_of(kind));
    world_.end_after(some_time(10min, 3h), chance_no_, [this] {
        world_.network.vendor.behaviour.chance = 0;
        world_.story.tell("the vendor is well");
    });
}

void Faults::dip_quota()
{
    tell("the vendor allows less");
    world_.network.quota = dice_.below(3);
    world_.end_after(some_time(10min, 2h), quota_no_, [this] { world_.network.quota = 1000; });
}

void Faults::garble_answers()
{
    tell("answers are late, and requests arrive twice");
    world_.network.twice_in_a_hundred = static_cast<int>(dice_.between(10, 60));
    world_.network.late_in_a_hundred = static_cast<int>(dice_.between(0, 60));
    world_.end_after(some_time(10min, 3h), garble_no_, [this] {
        world_.network.twice_in_a_hundred = world_.network.late_in_a_hundred = 0;
    });
}

void Faults::repeat_ids()
{
    tell("the vendor gives one id again and again");
    world_.network.vendor.behaviour.repeats = "123456";
    world_.end_after(some_time(1h, 5h), repeat_no_, [this] { world_.network.vendor.behaviour.repeats.clear(); });
}

void Faults::end_vendor_faults()
{
    end_outage();
    world_.network.odd.clear();
    world_.network.vendor.behaviour.chance = 0;
    world_.network.vendor.behaviour.repeats.clear();
    world_.network.quota = 1000;
    world_.network.twice_in_a_hundred = world_.network.late_in_a_hundred = 0;
}

} // namespace usher::simulation
