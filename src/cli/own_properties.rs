//! HubSpot's own task properties, which every portal has, for a check that knows no portal.

use anyhow::Result;
use serde_json::{Value, json};

use super::demand::Definitions;
use crate::hubspot::Schema;
use crate::source::{Demand, SourceFile, Warning, demands};

/// The names of the properties that HubSpot defines for tasks. It publishes no list: these were
/// gathered from its guide (<https://developers.hubspot.com/docs/api-reference/crm-tasks-v3/guide>)
/// and from portals' own lists.
const NAMES: &str = "\
    hs_all_accessible_team_ids hs_all_assigned_business_unit_ids hs_all_owner_ids hs_all_team_ids \
    hs_app_id hs_associated_company_labels hs_associated_contact_labels hs_at_mentioned_owner_ids \
    hs_attachment_ids hs_body_preview hs_body_preview_html hs_body_preview_is_truncated \
    hs_calendar_event_id hs_created_by hs_created_by_user_id hs_createdate hs_engagement_source \
    hs_engagement_source_id hs_engagements_last_contacted hs_follow_up_action hs_gdpr_deleted \
    hs_lastmodifieddate hs_marketing_task_category hs_marketing_task_category_id \
    hs_merged_object_ids hs_modified_by hs_msteams_message_id hs_num_associated_companies \
    hs_num_associated_contacts hs_num_associated_deals hs_num_associated_queue_objects \
    hs_num_associated_tickets hs_obj_coords hs_object_coordinates hs_object_id hs_object_source \
    hs_object_source_detail_1 hs_object_source_detail_2 hs_object_source_detail_3 \
    hs_object_source_id hs_object_source_label hs_object_source_user_id hs_owning_teams \
    hs_pipeline hs_pipeline_stage hs_product_name hs_queue_membership_ids hs_read_only \
    hs_repeat_status hs_scheduled_tasks hs_shared_team_ids hs_shared_user_ids hs_tag_ids \
    hs_task_body hs_task_campaign_guid hs_task_campaign_source hs_task_completion_count \
    hs_task_completion_date hs_task_contact_timezone hs_task_family hs_task_for_object_type \
    hs_task_is_all_day hs_task_is_completed hs_task_is_completed_call hs_task_is_completed_email \
    hs_task_is_completed_linked_in hs_task_is_completed_sequence hs_task_is_open \
    hs_task_is_overdue hs_task_is_past_due_date hs_task_last_contact_outreach \
    hs_task_last_sales_activity_timestamp hs_task_missed_due_date hs_task_missed_due_date_count \
    hs_task_ms_teams_payload hs_task_priority hs_task_probability_to_complete \
    hs_task_relative_reminders hs_task_reminders hs_task_repeat_interval \
    hs_task_send_default_reminder hs_task_sequence_enrollment_active \
    hs_task_sequence_step_enrollment_contact_id hs_task_sequence_step_enrollment_id \
    hs_task_sequence_step_order hs_task_status hs_task_subject hs_task_template_id hs_task_type \
    hs_timestamp hs_unique_creation_key hs_unique_id hs_updated_by_user_id \
    hs_user_ids_of_all_notification_followers hs_user_ids_of_all_notification_unfollowers \
    hs_user_ids_of_all_owners hs_was_imported hubspot_owner_assigneddate hubspot_owner_id \
    hubspot_team_id";

/// How the names of properties begin that HubSpot keeps for each stage of a pipeline.
const OF_STAGES: [&str; 3] = ["hs_date_entered_", "hs_date_exited_", "hs_time_in_"];

/// The properties with unique values.
const UNIQUE: [&str; 3] = ["hs_object_id", "hs_unique_id", "hs_unique_creation_key"];

/// The properties that HubSpot writes itself.
const READ_ONLY: [&str; 11] = [
    "hs_body_preview",
    "hs_body_preview_html",
    "hs_body_preview_is_truncated",
    "hs_created_by",
    "hs_created_by_user_id",
    "hs_createdate",
    "hs_lastmodifieddate",
    "hs_object_id",
    "hs_object_source",
    "hs_updated_by_user_id",
    "hs_was_imported",
];

/// The options that every portal begins with.
const OPTIONS: [(&str, &[&str]); 3] = [
    ("hs_task_status", &["NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"]),
    ("hs_task_priority", &["NONE", "LOW", "MEDIUM", "HIGH"]),
    ("hs_task_type", &["EMAIL", "CALL", "TODO", "LINKED_IN_CONNECT", "LINKED_IN_MESSAGE"]),
];

/// The demands of a file that these properties don't meet. They are only warnings, because portals
/// differ and HubSpot adds properties.
pub(super) fn warnings(file: &SourceFile, own: &Definitions) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for demand in demands(file) {
        if let Some(remark) = remark(&demand, own) {
            warnings.push(Warning(demand.problem(remark)));
        }
    }
    warnings
}

fn remark(demand: &Demand, own: &Definitions) -> Option<String> {
    let name = demand.property.as_str();
    if NAMES.split_whitespace().any(|own| own == name) {
        return own.check(demand).err().map(|unfit| unfit.detail);
    }
    if OF_STAGES.iter().any(|start| name.starts_with(start)) {
        return None;
    }
    let is_own = name.starts_with("hs_") || name.starts_with("hubspot_");
    let full = format!("hs_task_{name}");
    if NAMES.split_whitespace().any(|own| own == full) {
        return Some(format!(
            "{name}: that is none of HubSpot's own task properties; did you mean `{full}`?"
        ));
    }
    match own.schema.nearest(name) {
        Some(meant) if is_own || strsim::damerau_levenshtein(meant, name) <= 2 => Some(format!(
            "{name}: HubSpot has no task property of this name; did you mean `{meant}`?"
        )),
        _ if is_own => Some(format!(
            "{name}: HubSpot has no task property of this name, and only its own begin so; \
             correct the name (`taskhook check --online` knows every property of the portal)"
        )),
        _ => None,
    }
}

/// These properties, as a portal would define them.
pub(super) fn definitions() -> Result<Definitions> {
    let results: Vec<_> = NAMES.split_whitespace().map(definition).collect();
    let list = json!({ "results": results }).to_string();
    let schema = Schema::parse(&list)?;
    Ok(Definitions { schema, is_deployed: false })
}

fn definition(name: &str) -> Value {
    let mut options = Vec::new();
    for (property, values) in OPTIONS {
        if property == name {
            options.extend(values.iter().map(|value| json!({ "value": value })));
        }
    }
    let kind = match name {
        "hs_timestamp" | "hs_createdate" | "hs_lastmodifieddate" | "hs_task_completion_date" => {
            "datetime"
        }
        "hubspot_owner_id" => "enumeration",
        _ if !options.is_empty() => "enumeration",
        _ => "string",
    };
    json!({
        "name": name,
        "type": kind,
        "options": options,
        "hasUniqueValue": UNIQUE.contains(&name),
        "modificationMetadata": {"readOnlyValue": READ_ONLY.contains(&name)},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_portals_list_is_no_mistake() {
        let own = definitions().unwrap();
        let said_of = |property: &str| {
            let text = format!(
                "[verify]\nscheme = \"none\"\n[task]\nid = '.id'\nid_property = \"desk_id\"\n[properties]\n{property} = '.x'\n"
            );
            let file = SourceFile::from_text("", "desk", text);
            let found: Vec<_> =
                demands(&file).iter().filter_map(|demand| remark(demand, &own)).collect();
            found.into_iter().find(|remark| remark.starts_with(property))
        };
        for name in [
            "hs_task_campaign_guid",
            "hs_marketing_task_category",
            "hs_time_in_60b5c368_1329",
            "due_by",
        ] {
            assert_eq!(said_of(name), None);
        }
        assert!(
            said_of("hs_task_campaign_gud")
                .unwrap()
                .contains("did you mean `hs_task_campaign_guid`?")
        );
    }
}
