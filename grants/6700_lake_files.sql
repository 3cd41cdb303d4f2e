-- 6700_lake_files.sql: rights to ask for the files of the lake.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION public.lake_files(text, date, date, text[]) TO rubi_app, rubi_readonly;
