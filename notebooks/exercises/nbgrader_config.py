"""Settings of nbgrader for this course: read by nbgrader itself and by ``annlab classroom``."""

c = get_config()  # noqa: F821  (nbgrader puts the name here)

c.CourseDirectory.course_id = "annlab"
# a comment instead of an error: the student copy runs from top to bottom as it is handed out
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE"}
# what a student deletes or edits in a locked cell is put back before grading
c.OverwriteCells.add_missing_cells = True
# seconds for one cell, then it is interrupted; annlab classroom grade --timeout overrides it
c.Execute.timeout = 30
c.Execute.interrupt_on_timeout = True
# a student who prints for ever must not fill the disk
c.LimitOutput.max_lines = 200
c.LimitOutput.max_traceback = 50
