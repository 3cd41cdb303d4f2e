-- 6550_results_by_tag.sql: rights on results by tag and by rule of a checklist.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.checklist_results, public.tag_results FROM rubi_app;
GRANT SELECT ON public.checklist_results, public.tag_results
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
