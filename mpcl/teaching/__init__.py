"""What a course needs: exercises that say what is wrong, notebooks for students."""
